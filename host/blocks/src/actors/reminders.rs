//! Reminders: a loop looks for what has come due and gives each actor its turn, whose commit is what says that it was had.
//!
//! Every host of a store looks. Two that give the same occurrence a turn cannot both keep it, since both replace the one
//! record of the actor.

use super::{
    engine::{Engine, Hosted, Space, Why},
    names::Actor,
    rows,
    wakes::now,
};
use crate::{Result, time};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Turns for reminders at once, of one tenant.
const AT_ONCE: usize = 64;
/// The longest sleep, so that rows of other hosts and a clock that was set are noticed.
const LOOK: Duration = Duration::from_secs(1);
const PAGE: u32 = 200;
/// After a turn that failed; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// What this host knows of rows that are due, by their keys.
#[derive(Default)]
struct Known(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    running: HashSet<String>,
    /// How often they failed, and when to try again.
    failed: HashMap<String, (u32, Instant)>,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn waits(&self, key: &str) -> bool {
        let is_later = |(_, until): &(u32, Instant)| *until > Instant::now();
        self.running.contains(key) || self.failed.get(key).is_some_and(is_later)
    }

    fn end(&mut self, key: &str, is_well: bool) {
        self.running.remove(key);
        if is_well {
            self.failed.remove(key);
            return;
        }
        let failed = self
            .failed
            .entry(key.to_owned())
            .or_insert((0, Instant::now()));
        let pause = FIRST_PAUSE * 2u32.saturating_pow(failed.0.min(6));
        *failed = (failed.0 + 1, time::deadline(pause.min(LAST_PAUSE)));
    }
}

pub(super) async fn run(engine: Arc<Engine>, space: Arc<Space>) {
    let stop = engine.tasks.stopping();
    let known = Arc::new(Known::default());
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let pause = look(&engine, &space, &known, &places)
            .await
            .unwrap_or_else(|error| {
                tracing::warn!(tenant = %space.tenant, "look for reminders: {}", error.chain());
                LOOK
            });
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = space.reminded.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Starts what is due, and says how long there is time until the next.
async fn look(
    engine: &Arc<Engine>,
    space: &Arc<Space>,
    known: &Arc<Known>,
    places: &Arc<Semaphore>,
) -> Result<Duration> {
    let mut cursor = None::<String>;
    let caller = space.caller(&space.tenant);
    let mut seen = HashSet::new();
    let pause = 'all: loop {
        let (prefix, from) = (rows::sort("due"), cursor.as_deref());
        let page = space.keeper.list(&caller, &prefix, from, PAGE).await?;
        for (key, _) in page.entries {
            let Some((due, kind, id, name)) = rows::parse_due(&key) else {
                continue;
            };
            let left = due.saturating_sub(now());
            if left > 0 {
                break 'all LOOK.min(Duration::from_millis(left));
            }
            seen.insert(key.clone());
            let Some(hosted) = engine.hosted(&space.tenant, kind) else {
                continue;
            };
            if known.lock().waits(&key) {
                continue;
            }
            let Ok(place) = places.clone().try_acquire_owned() else {
                return Ok(LOOK);
            };
            let actor = Arc::new(Actor::new(&space.tenant, kind, id)?);
            let name = name.to_owned();
            let turn = (engine.clone(), hosted, actor, Why::Reminder { name, due });
            start(turn, space.clone(), known.clone(), key, place);
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => break LOOK,
        }
    };
    // Of rows that are gone nothing needs to be known.
    known.lock().failed.retain(|key, _| seen.contains(key));
    Ok(pause)
}

/// The turn of one occurrence, under the key of its row.
fn start(
    (engine, hosted, actor, why): (Arc<Engine>, Arc<Hosted>, Arc<Actor>, Why),
    space: Arc<Space>,
    known: Arc<Known>,
    key: String,
    place: OwnedSemaphorePermit,
) {
    known.lock().running.insert(key.clone());
    engine.tasks.clone().spawn(async move {
        let answer = engine.wake(hosted, actor.clone(), why).await;
        if let Err(error) = &answer {
            tracing::warn!(actor = %actor, "a reminder's turn failed: {}", error.chain());
        }
        known.lock().end(&key, answer.is_ok());
        drop(place);
        space.reminded.notify_one();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_minute() {
        let mut rows = Rows::default();
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            rows.end("key", false);
            let left = rows.failed["key"]
                .1
                .saturating_duration_since(Instant::now());
            assert_eq!(left.as_secs_f64().ceil() as u64, expected);
            assert!(rows.waits("key"));
        }
        rows.end("key", true);
        assert!(!rows.waits("key"));
    }
}
