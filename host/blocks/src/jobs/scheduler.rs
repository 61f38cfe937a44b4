//! The way of occurrences to an app: a loop takes what is due, asks the app, and settles by its answer.
//!
//! Invariants:
//! - Never early. A row is taken only when its time has come by the wall clock, which is read again after every wait;
//!   a clock that is set back makes rows later, never earlier.
//! - Of one job, one occurrence at a time runs on this host: its name is in `running` from before the app is asked until
//!   its row is written.
//! - Completed once. A row is written after the app has answered, and only over the version that was taken. What a
//!   crash, a stop or a failing driver cuts off comes again with the same id.
//! - Nothing is only in memory: dropping all of this loses nothing.
//! - Nothing runs without a pause but what the app is asked for: a driver that gives out for ever what is missed, runs
//!   already or is not due is asked at intervals.
//! - Bounded: so many occurrences of an app are in it at once, so many of the whole host, and so many answers wait for
//!   the driver. An app waits only for its own jobs, as each has a loop and an index of its own.
//! - After the stop nothing is taken; what runs ends, and its answer is written.

mod watch;

use super::{
    Configured, GET, NEXT, Occurrence, Row, Settle, TAKE, Timestamp,
    transitions::{self, Outcome},
};
use crate::{App, Call, Error, Kind, Origin, Result, Slot, Tasks, time::host_deadline};
use parking_lot::{Mutex, MutexGuard, RwLock};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use watch::Watch;
use wythe_manifest::Name;

/// The wall clock, which tests set as they like.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Occurrences of one app that are in it at once.
pub(super) const IN_APP: usize = 64;
/// Occurrences of all apps that run at once.
pub(crate) const IN_HOST: usize = 1_024;
/// Occurrences of one app that are not written yet.
const UNWRITTEN: usize = 1_024;
/// The longest sleep, so that a clock that was set and a row that another host wrote are noticed.
const LOOK: Duration = Duration::from_secs(1);
/// The pause where a driver says that something is due and gives nothing, or nothing that the app is asked for.
const AGAIN: Duration = Duration::from_millis(50);
/// The time after which another host may take what this one took.
const LEASE: Duration = Duration::from_secs(60);
/// Writes of one occurrence, where others change its row meanwhile.
const TRIES: usize = 10;
/// The runner of one app's jobs.
pub(super) struct Runner {
    pub id: Name,
    pub app: RwLock<Arc<App>>,
    pub component: Arc<Slot<Configured>>,
    pub clock: Clock,
    pub tasks: Tasks,
    pub in_host: Arc<Semaphore>,
    in_app: Arc<Semaphore>,
    unwritten: Arc<Semaphore>,
    /// The jobs that run; true if the driver gave the job's row out again meanwhile.
    running: Mutex<HashMap<String, bool>>,
    /// Something may be due earlier than the loop knows.
    changed: Notify,
}

/// The permits that an occurrence holds while the app has it.
struct Permits {
    _app: OwnedSemaphorePermit,
    _host: OwnedSemaphorePermit,
    unwritten: OwnedSemaphorePermit,
}

impl Runner {
    pub(super) fn new(
        app: Arc<App>,
        component: Arc<Slot<Configured>>,
        clock: Clock,
        tasks: Tasks,
        in_host: Arc<Semaphore>,
    ) -> Self {
        Runner {
            id: app.id().clone(),
            app: RwLock::new(app),
            component,
            clock,
            tasks,
            in_host,
            in_app: Arc::new(Semaphore::new(IN_APP)),
            unwritten: Arc::new(Semaphore::new(UNWRITTEN)),
            running: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Puts another version of the app in the place of the one that runs the jobs now.
    pub(super) fn replace(&self, app: Arc<App>) {
        *self.app.write() = app;
        self.look();
    }

    /// A row was written by others than the runner itself.
    pub(super) fn look(&self) {
        self.changed.notify_one();
    }

    pub(super) fn is_running(&self, name: &str) -> bool {
        self.running().contains_key(name)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        self.running.lock()
    }

    fn app(&self) -> Arc<App> {
        self.app.read().clone()
    }

    /// The host speaks to the driver for the app.
    fn caller(&self) -> Call {
        let tenant = self.app().tenant().clone();
        Call::operator(tenant, self.id.clone(), host_deadline())
    }

    /// Takes and starts what is due until the host stops.
    pub(super) async fn run(self: Arc<Self>) {
        let stop = self.tasks.stopping();
        let mut watch = Watch::start((self.clock)());
        loop {
            let free = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                free = async { while !self.app().well().await {} self.free().await } => free,
            };
            let now = (self.clock)();
            let since = watch.look(now);
            let pause = self.take(now, since, free).await.unwrap_or_else(|error| {
                tracing::warn!(app = %self.id, "take jobs: {}", error.chain());
                LOOK
            });
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Waits for a permit, then answers with all that are free.
    async fn free(&self) -> Vec<Permits> {
        let free = "the semaphore is never closed";
        let mut free = vec![Permits {
            unwritten: self.unwritten.clone().acquire_owned().await.expect(free),
            _app: self.in_app.clone().acquire_owned().await.expect(free),
            _host: self.in_host.clone().acquire_owned().await.expect(free),
        }];
        while let (Ok(unwritten), Ok(app), Ok(host)) = (
            self.unwritten.clone().try_acquire_owned(),
            self.in_app.clone().try_acquire_owned(),
            self.in_host.clone().try_acquire_owned(),
        ) {
            free.push(Permits {
                unwritten,
                _app: app,
                _host: host,
            });
        }
        free
    }

    /// Starts what is due, and says how long there is nothing more to take.
    async fn take(
        self: &Arc<Self>,
        now: Timestamp,
        since: Timestamp,
        free: Vec<Permits>,
    ) -> Result<Duration> {
        if !self.app().exports().job_runner {
            return Ok(LOOK);
        }
        let (app, capacity) = (self.id.as_str(), free.len());
        let limit = u32::try_from(capacity).unwrap_or(u32::MAX);
        let caller = self.caller();
        let component = self.component.enter(&caller).await?;
        let rows = component
            .call(&caller, TAKE, |d| d.driver.take(app, now, limit, LEASE))
            .await?;
        let count = rows.len();
        self.begin(rows, free, now, since).await;
        if count >= capacity {
            return Ok(Duration::ZERO);
        }
        let caller = self.caller();
        let next = component
            .call(&caller, NEXT, |d| d.driver.next(app))
            .await?;
        Ok(
            next.map_or(LOOK, |at| match at.saturating_sub((self.clock)()) {
                0 if at <= now => AGAIN,
                wait => Duration::from_millis(wait).min(LOOK),
            }),
        )
    }

    /// Starts those that are due, and rests where the app is asked for none of them.
    async fn begin(
        self: &Arc<Self>,
        rows: Vec<Row>,
        free: Vec<Permits>,
        now: Timestamp,
        since: Timestamp,
    ) {
        let (app, count) = (self.id.as_str(), rows.len());
        let is_due = |row: &Row| row.app == app && row.wake.is_some_and(|wake| wake <= now);
        let (due, wrong): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_due);
        let asked = due
            .into_iter()
            .zip(free)
            .map(|(row, permits)| self.start(row, permits, since))
            .filter(|asked| *asked)
            .count();
        if let Some(row) = wrong.first() {
            let (job, count) = (&row.job.name, wrong.len());
            tracing::error!(app, job, count, "the driver gave jobs out that are not due");
            self.rest(LOOK).await;
        } else if count > 0 && asked == 0 {
            self.rest(AGAIN).await;
        }
    }

    /// A pause that nothing but the stop ends.
    async fn rest(&self, pause: Duration) {
        let stop = self.tasks.stopping();
        let _ = tokio::time::timeout(pause, stop.cancelled()).await;
    }

    /// Starts an occurrence, and returns whether the app is asked for it.
    fn start(self: &Arc<Self>, row: Row, permits: Permits, since: Timestamp) -> bool {
        if let Some(again) = self.running().get_mut(&row.job.name) {
            *again = true;
            return false;
        }
        let asked = !transitions::is_missed(&row, since, (self.clock)());
        self.running().insert(row.job.name.clone(), false);
        self.tasks.spawn(self.clone().carry(row, permits, since));
        asked
    }

    /// One occurrence, and those of the same job whose time came while it ran.
    async fn carry(self: Arc<Self>, row: Row, permits: Permits, since: Timestamp) {
        let name = row.job.name.clone();
        let mut next = Some((row, permits));
        while let Some((row, permits)) = next {
            self.occurrence(row, permits, since).await;
            next = self.again(&name).await;
        }
        self.look();
    }

    async fn occurrence(&self, row: Row, permits: Permits, since: Timestamp) {
        let outcome = match transitions::is_missed(&row, since, (self.clock)()) {
            true => Outcome::Missed,
            false => self.ask(&row).await,
        };
        let Permits {
            _app,
            _host,
            unwritten,
        } = permits;
        // The app is free for the next one while this one is written.
        drop((_app, _host));
        if let Err(error) = self.settle(row, &outcome).await {
            // Not written is not lost: it comes again when its lease is over.
            tracing::warn!(app = %self.id, "settle jobs: {}", error.chain());
        }
        drop(unwritten);
    }

    async fn ask(&self, row: &Row) -> Outcome {
        let occurrence = Occurrence {
            name: row.job.name.clone(),
            id: transitions::id(row),
            due: row.due.unwrap_or_default(),
            attempt: row.attempts.saturating_add(1),
            data: row.job.data.clone(),
        };
        let app = self.app();
        if let Some(wake) = row.wake {
            app.meters().jobs.note(wake, (self.clock)());
        }
        let Err(error) = app.run_job(Origin::start(), occurrence).await else {
            return Outcome::Done;
        };
        let (job, attempt) = (&row.job.name, row.attempts + 1);
        tracing::warn!(app = %self.id, job, attempt, "run job: {}", error.chain());
        match error.kind() {
            Kind::Exhausted | Kind::Unavailable | Kind::Unsupported => {
                Outcome::NotBegun(error.retry_after().unwrap_or(LOOK))
            }
            _ => Outcome::Failed(error.message().to_owned()),
        }
    }

    /// Writes what comes after the occurrence. A row that others changed meanwhile, as a pause does, is read again; one
    /// that is at another occurrence, or gone, is theirs.
    async fn settle(&self, mut row: Row, outcome: &Outcome) -> Result<()> {
        for _ in 0..TRIES {
            let change = Settle {
                app: row.app.clone(),
                name: row.job.name.clone(),
                version: row.version,
                row: transitions::apply(&row, outcome, (self.clock)()),
            };
            let caller = self.caller();
            // What is entered is left before it is entered again.
            let settled = {
                let component = self.component.enter(&caller).await?;
                let settler = &component.driver().settler;
                settler.settle(&component, &caller, change).await
            };
            match settled {
                Err(error) if error.kind() == Kind::Conflict => {}
                answer => return answer,
            }
            match self.get(&row.job.name).await? {
                Some(found) if transitions::is_same(&found, &row) => row = found,
                _ => return Ok(()),
            }
        }
        Err(Error::conflict(format!(
            "job `{}` changes all the time",
            row.job.name
        )))
    }

    async fn get(&self, name: &str) -> Result<Option<Row>> {
        let (app, caller) = (self.id.as_str(), self.caller());
        let component = self.component.enter(&caller).await?;
        component
            .call(&caller, GET, |d| d.driver.get(app, name))
            .await
    }

    /// The job is free, unless its row was given out again meanwhile and is due still.
    async fn again(&self, name: &str) -> Option<(Row, Permits)> {
        let stop = self.tasks.stopping();
        loop {
            {
                let mut running = self.running();
                match running.get_mut(name) {
                    Some(again) if *again && !stop.is_cancelled() => *again = false,
                    _ => {
                        running.remove(name);
                        return None;
                    }
                }
            }
            let due = |row: &Row| row.wake.is_some_and(|wake| wake <= (self.clock)());
            let Ok(Some(row)) = self.get(name).await else {
                continue;
            };
            if due(&row) {
                let mut free = self.free().await;
                return Some((row, free.swap_remove(0)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
