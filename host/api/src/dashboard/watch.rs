//! The dashboard's own look at the traces, so that the host goes on to gather them while no page shows them.

use super::Ask;
use crate::admin::{
    Answer, Command,
    host::{self, Action},
    traces,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wythe_blocks::time::pause;

/// The time between two looks, much less than the host waits for one.
const LOOK: Duration = Duration::from_secs(30);
/// Processes of tenants that are looked at.
const PROCESSES: usize = 100;

pub async fn traces(host: Arc<dyn Ask>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = look(&*host) => {}
        }
        if !pause(&stop, LOOK).await {
            return;
        }
    }
}

/// Asks the host itself, by one of the tenants that it has, and the processes of others.
async fn look(host: &dyn Ask) {
    let asked = host.ask(None, Command::Host(Action::Tenants {})).await;
    let Ok(Answer::Host(host::Answer::Tenants(tenants))) = asked else {
        return;
    };
    let served = || tenants.iter().filter(|tenant| tenant.served);
    let own = served().find(|tenant| !tenant.process);
    let others = served().filter(|tenant| tenant.process).take(PROCESSES);
    for tenant in own.into_iter().chain(others) {
        let command = Command::Traces(traces::Action::List(traces::List::default()));
        // A tenant that does not answer is looked at again.
        let _ = host.ask(Some(tenant.tenant.clone()), command).await;
    }
}
