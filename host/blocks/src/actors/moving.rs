//! Rows of an earlier build on their way to the keys of this one, behind what actors do meanwhile.

use super::{
    engine::{Engine, Space},
    store::rows,
};
use crate::{
    Rate, Trace,
    state::{ACTORS, Mover},
    time,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The pause before another try.
const AGAIN: Duration = Duration::from_secs(1);

/// Says whether all rows of a tenant have the keys of this build.
#[derive(Default)]
pub(super) struct Moved(watch::Sender<bool>);

impl Moved {
    pub fn is_over(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until they have; false where the host stops before.
    pub async fn wait(&self, stop: &CancellationToken) -> bool {
        let mut moved = self.0.subscribe();
        tokio::select! {
            moved = moved.wait_for(|moved| *moved) => moved.is_ok(),
            () = stop.cancelled() => false,
        }
    }
}

pub(super) async fn run(engine: Arc<Engine>, space: Arc<Space>) {
    let (stop, failures) = (engine.tasks.stopping(), Rate::per_minute(1));
    let caller = || space.caller(&space.tenant, Trace::start());
    let mover = Mover {
        format: ACTORS,
        internal_store: &space.internal_store,
        caller: &caller,
        stop: stop.clone(),
    };
    loop {
        match mover.run(&rows::old()).await {
            Ok(true) => {
                space.moved.0.send_replace(true);
                return;
            }
            Ok(false) => return,
            Err(error) => {
                if let Some(suppressed) = failures.allows() {
                    tracing::error!(
                        tenant = %space.tenant, suppressed,
                        "reminders and events of actors wait: {}", error.chain()
                    );
                }
            }
        }
        if !time::pause(&stop, AGAIN).await {
            return;
        }
    }
}
