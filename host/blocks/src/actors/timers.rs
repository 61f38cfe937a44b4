//! Timers: turns after a while, for as long as the activation lasts.

use super::{
    core::names::Actor,
    core::staged::Timer,
    engine::{Cause, Engine, Hosted, Why},
};
use crate::{Error, Result, time::Clock as _, time::host_deadline};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The most timers of one activation.
const MAX_TIMERS: usize = 100;
/// The shortest time until a timer's turn, and between two of them.
const SHORTEST: Duration = Duration::from_millis(10);
/// The shortest rest between turns of timers of one actor; a longer turn has a rest as long as itself.
const REST: Duration = Duration::from_millis(5);

/// The guards that end the timers of an activation; all end with it.
#[derive(Default)]
pub(super) struct Timers {
    guards: BTreeMap<String, DropGuard>,
    pace: Option<Pace>,
}

/// Time when the next turn of a timer may begin. Who holds it has a turn or rests.
type Pace = Arc<Mutex<Instant>>;

impl Timers {
    pub(super) fn has(&self, name: &str) -> bool {
        self.guards.contains_key(name)
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.guards.keys().cloned().collect()
    }

    pub(super) fn apply(
        &mut self,
        engine: &Arc<Engine>,
        actor: &Arc<Actor>,
        activation: u64,
        changes: BTreeMap<String, Option<Timer>>,
    ) {
        if changes.is_empty() {
            return;
        }
        let pace = || Arc::new(Mutex::new(Instant::now()));
        let pace = self.pace.get_or_insert_with(pace).clone();
        for (name, timer) in changes {
            let Some(timer) = timer else {
                self.guards.remove(&name);
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
                pace: pace.clone(),
            };
            engine.tasks.spawn(running.run(stop));
            self.guards.insert(name, guard);
        }
    }
}

/// Refuses the timer that would be one too many: beside those that are there, changed as the turn wants so far.
pub(super) fn check(
    there: &BTreeSet<String>,
    changes: &BTreeMap<String, Option<Timer>>,
    name: &str,
) -> Result<()> {
    let stays = |name: &&String| !matches!(changes.get(*name), Some(None));
    let old = there.iter().filter(stays).count();
    let new = changes
        .iter()
        .filter(|(name, timer)| timer.is_some() && !there.contains(*name));
    let is_known = match changes.get(name) {
        Some(timer) => timer.is_some(),
        None => there.contains(name),
    };
    match is_known || old + new.count() < MAX_TIMERS {
        true => Ok(()),
        false => Err(Error::exhausted(format!(
            "an actor has at most {MAX_TIMERS} timers"
        ))),
    }
}

/// The time after which a timer that was refused its only turn tries again.
const AGAIN: Duration = Duration::from_secs(1);

/// A timer that is set.
struct Running {
    engine: Arc<Engine>,
    actor: Arc<Actor>,
    activation: u64,
    name: String,
    timer: Timer,
    pace: Pace,
}

/// Turn of a timer. While it lives, no other timer of the actor has a turn; from then on a while, too.
struct Turn<'a> {
    pace: MutexGuard<'a, Instant>,
    start: Instant,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        *self.pace = now.after((now - self.start).max(REST));
    }
}

impl Running {
    /// A turn that is under way when its timer is cleared ends by itself; one that stands in the queue is given up.
    async fn run(self, stop: CancellationToken) {
        let mut pause = self.timer.due;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause.max(SHORTEST)) => {}
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
            // What an ill app was due comes when it is well again.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                is_well = hosted.app.well() => if !is_well {
                    // Another app has taken its place, and the turn is due.
                    pause = Duration::ZERO;
                    continue;
                },
            }
            let app = hosted.app.clone();
            let turn = self.turn(hosted, why);
            let answer = tokio::select! {
                biased;
                answer = turn => answer,
                () = stop.cancelled() => return,
            };
            if let Err(error) = &answer {
                tracing::warn!(actor = %self.actor, timer = self.name, "the turn failed: {}", error.chain());
            }
            pause = match (self.timer.period, answer) {
                (Some(period), _) => period,
                // It has only this turn, and was refused it.
                (None, Err(error)) if app.has_refused(&error) => {
                    error.retry_after().unwrap_or(AGAIN)
                }
                (None, _) => return,
            };
        }
    }

    async fn turn(&self, hosted: Arc<Hosted>, why: Why) -> Result<Bytes> {
        let pace = self.pace.lock().await;
        tokio::time::sleep_until(*pace).await;
        let space = self.engine.space(&self.actor.tenant)?;
        let end = host_deadline();
        let permit = space.enter(&self.actor, hosted.app.id(), end).await?;
        let _turn = Turn {
            pace,
            start: Instant::now(),
        };
        self.engine
            .detach(permit, hosted, Cause::Trace(self.timer.trace), why)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer() -> Option<Timer> {
        Some(Timer {
            due: Duration::ZERO,
            period: None,
            data: Bytes::new(),
            trace: crate::Trace::start(),
            _held: None,
        })
    }

    #[test]
    fn the_timer_that_is_one_too_many_is_refused_when_it_is_set() {
        let there: BTreeSet<_> = (0..60).map(|number| format!("old{number}")).collect();
        let mut changes = BTreeMap::new();
        for number in 0..40 {
            let name = format!("new{number}");
            check(&there, &changes, &name).unwrap();
            changes.insert(name, timer());
        }
        let reported = check(&there, &changes, "more").unwrap_err();
        assert_eq!(reported.message(), "an actor has at most 100 timers");
        // One that is there is set anew, and one that is cleared makes room.
        check(&there, &changes, "old1").unwrap();
        check(&there, &changes, "new1").unwrap();
        changes.insert("old1".into(), None);
        check(&there, &changes, "more").unwrap();
        changes.insert("more".into(), timer());
        check(&there, &changes, "old1").unwrap_err();
    }
}
