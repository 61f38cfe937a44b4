//! Timers: turns after a while, for as long as the activation lasts.

use super::{
    engine::{Engine, Why},
    memory::Timer,
    names::Actor,
};
use crate::{Error, Result};
use std::{collections::BTreeMap, sync::Arc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Of one activation.
const MOST: usize = 100;

/// What ends each timer of an activation; all end with it.
#[derive(Default)]
pub(super) struct Timers(BTreeMap<String, DropGuard>);

impl Timers {
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn check(&self, changes: &BTreeMap<String, Option<Timer>>) -> Result<()> {
        let new = changes
            .iter()
            .filter(|(name, timer)| timer.is_some() && !self.has(name));
        match self.0.len() + new.count() <= MOST {
            true => Ok(()),
            false => Err(Error::exhausted(format!(
                "an actor has at most {MOST} timers"
            ))),
        }
    }

    pub(super) fn apply(
        &mut self,
        engine: &Arc<Engine>,
        actor: &Arc<Actor>,
        activation: u64,
        changes: BTreeMap<String, Option<Timer>>,
    ) {
        for (name, timer) in changes {
            let Some(timer) = timer else {
                self.0.remove(&name);
                continue;
            };
            let stop = engine.tasks.stopping().child_token();
            let guard = stop.clone().drop_guard();
            let running = Running {
                engine: engine.clone(),
                actor: actor.clone(),
                activation,
                name: name.clone(),
                timer,
            };
            engine.tasks.spawn(running.run(stop));
            self.0.insert(name, guard);
        }
    }
}

struct Running {
    engine: Arc<Engine>,
    actor: Arc<Actor>,
    activation: u64,
    name: String,
    timer: Timer,
}

impl Running {
    /// A turn that is under way when its timer is cleared ends by itself; one that stands in the queue is given up.
    async fn run(self, stop: CancellationToken) {
        let mut pause = self.timer.due;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            let why = Why::Timer {
                activation: self.activation,
                name: self.name.clone(),
                data: self.timer.data.clone(),
            };
            // The app may have a new version that does not know the type.
            let (tenant, kind) = (&self.actor.tenant, &self.actor.kind);
            let Some(hosted) = self.engine.hosted(tenant, kind) else {
                return;
            };
            let turn = self.engine.wake(hosted, self.actor.clone(), why);
            let answer = tokio::select! {
                biased;
                answer = turn => answer,
                () = stop.cancelled() => return,
            };
            if let Err(error) = answer {
                tracing::warn!(actor = %self.actor, timer = self.name, "the turn failed: {}", error.chain());
            }
            let Some(period) = self.timer.period else {
                return;
            };
            pause = period;
        }
    }
}
