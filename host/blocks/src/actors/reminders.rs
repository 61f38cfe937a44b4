//! Reminders: a loop looks for what has come due and gives each actor its turn, whose commit is what says that it was had.
//!
//! Every host of a store looks. Two that give the same occurrence a turn cannot both keep it, since both replace the one
//! record of the actor.

use super::{
    core::names::Actor,
    due::{LOOK, Outcome, Reading},
    engine::{Cause, Engine, Hosted, Space, Why},
    store::rows,
};
use crate::{Error, Kind, Rate, Result, Trace, state::Page, time, time::host_deadline, time::now};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;
use wythe_manifest::Name;

/// Turns for reminders at once, of one app.
pub(super) const AT_ONCE: usize = 64;
/// Failed attempts of one occurrence, after which it is given up.
const ATTEMPTS: u32 = 10;

pub(super) async fn run(engine: Arc<Engine>, space: Arc<Space>) {
    let stop = engine.tasks.stopping();
    let mut look = Look {
        next: Instant::now(),
        failures: Rate::per_minute(1),
        unreadable: Rate::per_minute(1),
    };
    if !space.moved.wait(&stop).await {
        return;
    }
    loop {
        begin(&engine, &space);
        let pause = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            pause = look.go_on(&engine, &space) => pause,
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = space.reminded.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Gives permits to what is due and known.
fn begin(engine: &Arc<Engine>, space: &Arc<Space>) {
    let permit = |app: &Name| space.permits.of(app.as_str()).try_acquire_owned().ok();
    for begun in space.due.begin(Instant::now(), permit) {
        let row = Row {
            engine: engine.clone(),
            space: space.clone(),
            app: begun.app,
            key: begun.key,
            was_read: begun.was_read,
            permit: Some(begun.permit),
            outcome: Outcome::Hindered,
        };
        engine.tasks.spawn(row.run());
    }
}

/// The reading of what is due.
struct Look {
    /// Time before which nothing is read, after a failure.
    next: Instant,
    failures: Rate,
    unreadable: Rate,
}

impl Look {
    /// Reads a page if there is one to read, and says how long nothing else has to be done.
    async fn go_on(&mut self, engine: &Engine, space: &Space) -> Duration {
        let start = Instant::now();
        if start < self.next {
            return self.next - start;
        }
        let Some(reading) = space.due.pick(start) else {
            return space.due.pause(start);
        };
        match self.page(space, &reading).await {
            Ok(page) => {
                self.file(engine, space, &reading, page);
                let now = Instant::now();
                space.due.took(&reading, now - start, now);
            }
            Err(error) => {
                self.next = time::deadline(LOOK);
                if let Some(suppressed) = self.failures.allows() {
                    tracing::warn!(tenant = %space.tenant, suppressed, "look for reminders: {}", error.chain());
                }
            }
        }
        let now = Instant::now();
        match self.next > now {
            true => self.next - now,
            false => space.due.pause(now),
        }
    }

    async fn page(&self, space: &Space, reading: &Reading) -> Result<Page> {
        let caller = space.caller(&space.tenant, Trace::start());
        let (prefix, from) = (reading.prefix(), Some(reading.from.as_str()));
        (space.internal_store)
            .list(&caller, &prefix, from, reading.limit())
            .await
    }

    fn file(&self, engine: &Engine, space: &Space, reading: &Reading, page: Page) {
        let owner = |kind: &str| {
            let hosted = engine.hosted(&space.tenant, kind)?;
            Some(hosted.app.id().clone())
        };
        let keys: Vec<_> = page.entries.into_iter().map(|(key, _)| key).collect();
        let next = page.next.as_deref();
        let unreadable = space.due.file(reading, &keys, next, owner, now());
        if unreadable > 0
            && let Some(suppressed) = self.unreadable.allows()
        {
            tracing::error!(
                tenant = %space.tenant, rows = unreadable, suppressed,
                "rows of times of reminders cannot be read; they are left alone"
            );
        }
    }
}

/// A row whose turn runs. However it ends, it is told to the others when this goes.
struct Row {
    engine: Arc<Engine>,
    space: Arc<Space>,
    app: Name,
    key: Arc<str>,
    was_read: bool,
    permit: Option<OwnedSemaphorePermit>,
    outcome: Outcome,
}

impl Drop for Row {
    fn drop(&mut self) {
        self.permit = None;
        let (due, now) = (&self.space.due, Instant::now());
        due.end(&self.app, &self.key, self.outcome, now);
        self.space.reminded.notify_one();
    }
}

/// A turn that did not come about, or that failed.
enum Miss {
    Hindered(Error),
    Failed(Error),
}

impl Row {
    async fn run(mut self) {
        let key = self.key.clone();
        let Some(row) = rows::parse_due(&key) else {
            return;
        };
        let (due, kind, id, name) = (row.due, row.kind, row.id, row.name);
        let tenant = &self.space.tenant;
        // The type may be another app's by now, or nobody's.
        let hosted = self.engine.hosted(tenant, kind);
        let Some(hosted) = hosted.filter(|hosted| *hosted.app.id() == self.app) else {
            self.outcome = Outcome::Done;
            return;
        };
        let actor = match Actor::new(tenant, kind, id) {
            Ok(actor) => Arc::new(actor),
            Err(error) => return self.warn(&key, "the row of a reminder cannot be read", &error),
        };
        match self.is_there().await {
            Ok(true) => {}
            Ok(false) => {
                self.outcome = Outcome::Done;
                return;
            }
            Err(error) => return self.warn(&actor, "a reminder's turn waits", &error),
        }
        self.outcome = match self.turn(&hosted, &actor, name, due).await {
            Ok(()) => Outcome::Done,
            Err(Miss::Hindered(error)) => {
                self.warn(&actor, "a reminder's turn waits", &error);
                Outcome::Hindered
            }
            Err(Miss::Failed(error)) => {
                self.warn(&actor, "a reminder's turn failed", &error);
                self.failed(hosted, actor, name, due, &error).await
            }
        };
    }

    /// Reads a row that was remembered: another host may have replaced the reminder.
    async fn is_there(&self) -> Result<bool> {
        if self.was_read {
            return Ok(true);
        }
        let call = self.space.caller(&self.app, Trace::start());
        let row = self.space.internal_store.get(&call, &*self.key).await?;
        Ok(row.is_some())
    }

    async fn turn(
        &self,
        hosted: &Arc<Hosted>,
        actor: &Arc<Actor>,
        name: &str,
        due: u64,
    ) -> Result<(), Miss> {
        let permit = self.space.enter(actor, &self.app, host_deadline()).await;
        let permit = permit.map_err(Miss::Hindered)?;
        hosted.app.meters().reminders.note(due, time::now());
        let name = name.to_owned();
        let why = Why::Reminder { name, due };
        let answer = self
            .engine
            .detach(permit, hosted.clone(), Cause::host(), why)
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(error) if is_hindrance(&error) => Err(Miss::Hindered(error)),
            Err(error) => Err(Miss::Failed(error)),
        }
    }

    /// Gives the occurrence up after so many attempts, in the store, so that every host knows.
    async fn failed(
        &self,
        hosted: Arc<Hosted>,
        actor: Arc<Actor>,
        name: &str,
        due: u64,
        error: &Error,
    ) -> Outcome {
        let attempts = self.space.due.attempts(&self.app, &self.key) + 1;
        if attempts < ATTEMPTS {
            return Outcome::Failed;
        }
        let why = Why::GiveUp {
            name: name.to_owned(),
            due,
        };
        if let Err(error) = self.engine.wake(hosted, actor.clone(), why).await {
            self.warn(&actor, "a reminder's occurrence cannot be given up", &error);
            return Outcome::Failed;
        }
        if let Some(suppressed) = self.space.due.may_report(&self.app) {
            tracing::error!(
                app = %self.app, actor = %actor, reminder = name, attempts, suppressed,
                "an occurrence of a reminder is given up; it goes on with its next period, or without one is tried again in an hour: {}",
                error.chain()
            );
        }
        Outcome::Done
    }

    fn warn(&self, of: &dyn std::fmt::Display, what: &str, error: &Error) {
        if let Some(suppressed) = self.space.due.may_warn(&self.app) {
            tracing::warn!(app = %self.app, actor = %of, suppressed, "{what}: {}", error.chain());
        }
    }
}

/// Says whether it is the host or the store that has no room, and not the turn that failed.
fn is_hindrance(error: &Error) -> bool {
    matches!(error.kind(), Kind::Exhausted | Kind::Unavailable)
}
