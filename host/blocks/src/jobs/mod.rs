//! The whole of the jobs block's rules.

mod calendar;
mod driver;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod overdue;
mod rules;
mod scheduler;
mod settler;
mod stored;
mod transitions;

pub use calendar::{read_time, shown_time};
pub use driver::{
    Driver, FailurePolicy, Features, Job, Misfire, Page, Row, Settle, Timestamp, Trigger,
};
pub use rules::{MAX_DATA, check_name};
pub use transitions::MAX_FAILURE;

use crate::{
    App, Call, Components, Error, Kind, Result, Slot, Tasks,
    component::{self, Close, Use},
    opening::{self, Opening, require},
    quota::Ledger,
    time::{self, HOST_CALL},
};
use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
pub(crate) use scheduler::IN_HOST;
use scheduler::{Clock, Runner};
use settler::Settler;
use std::{collections::HashMap, sync::Arc};
use stored::Stored;
use tokio::sync::Semaphore;
use wythe_manifest::Name;

/// Writes of a pause, where the job's row changes all the time.
const TRIES: usize = 10;

const PUT: component::Operation = component::Operation::once(0, "put");
const GET: component::Operation = component::Operation::idempotent(1, "get");
const DELETE: component::Operation = component::Operation::once(2, "delete");
const LIST: component::Operation = component::Operation::idempotent(3, "list");
const TAKE: component::Operation = component::Operation::once(4, "take").of_host();
const NEXT: component::Operation = component::Operation::idempotent(5, "next").of_host();
const SETTLE: component::Operation = component::Operation::once(6, "settle").of_host();

pub(crate) const OPERATIONS: &[component::Operation] =
    &[PUT, GET, DELETE, LIST, TAKE, NEXT, SETTLE];

/// One occurrence on its way into an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub name: String,
    /// The id, the same on every attempt, and never that of another occurrence.
    pub id: String,
    pub due: Timestamp,
    /// 1 on the first attempt.
    pub attempt: u32,
    pub data: bytes::Bytes,
}

/// A job with what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub job: Job,
    /// Absent where the job is paused.
    pub next: Option<Timestamp>,
    pub paused: bool,
    /// Occurrences that are done with.
    pub occurrences: u64,
    pub failure: Option<String>,
}

impl From<Row> for Status {
    fn from(row: Row) -> Self {
        Status {
            job: row.job,
            next: row.wake,
            paused: row.paused,
            occurrences: row.occurrences,
            failure: row.failure,
        }
    }
}

/// One page of an app's jobs, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub jobs: Vec<Status>,
    /// The place at which the next page begins.
    pub next: Option<String>,
}

/// A driver with the answers that wait for it.
pub struct Configured {
    pub driver: Arc<dyn Driver>,
    settler: Settler,
    stored: Stored,
}

impl Configured {
    /// Counts what the driver stores by now.
    fn count(&self) {
        self.stored.count(&*self.driver);
    }
}

#[async_trait]
impl Close for Configured {
    async fn close(&self) -> Result<()> {
        self.stored.close();
        self.driver.close().await
    }

    async fn health(&self) -> Result<()> {
        self.driver.health().await
    }

    fn describe(&self) -> Option<String> {
        self.driver.describe()
    }
}

type Runners = HashMap<Name, Arc<Runner>>;

pub(crate) type Prepared = opening::Prepared<dyn Driver, ()>;

/// The jobs block.
pub struct Jobs {
    pub(crate) components: Components<Configured>,
    tasks: Tasks,
    clock: Clock,
    /// The runners by app.
    runners: Mutex<Runners>,
    in_host: Arc<Semaphore>,
    ledger: Arc<Ledger>,
}

impl Jobs {
    /// `in_host` has the permits of all tenants' occurrences that run at once; what is stored is held of `ledger`.
    pub fn new(tasks: Tasks, in_host: Arc<Semaphore>, ledger: Arc<Ledger>) -> Self {
        Self::with_clock(tasks, in_host, ledger, Arc::new(time::now))
    }

    /// Does what [`Jobs::new`] does, by another wall clock than the system's.
    pub fn with_clock(
        tasks: Tasks,
        in_host: Arc<Semaphore>,
        ledger: Arc<Ledger>,
        clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Self {
        Jobs {
            components: Components::new("jobs"),
            tasks,
            clock,
            runners: Mutex::default(),
            in_host,
            ledger,
        }
    }

    /// Runs the jobs of this app in it from now on, in place of one with the same id. Without a component that it may
    /// use, it has no jobs.
    pub fn attach(&self, app: &Arc<App>) {
        let id = app.id();
        let mut runners = self.runners();
        if let Some(runner) = runners.get(id) {
            return runner.replace(app.clone());
        }
        let now = std::time::Instant::now();
        let caller = Call::operator(app.tenant().clone(), id.clone(), now);
        let Ok(component) = self.component(&caller) else {
            return;
        };
        if !app.exports().job_runner {
            return;
        }
        let tasks = self.tasks.child();
        let runner = Arc::new(Runner::new(
            app.clone(),
            component,
            self.clock.clone(),
            tasks.clone(),
            self.in_host.clone(),
        ));
        let running = runner.clone();
        tasks.supervise(move || running.clone().run());
        runners.insert(id.clone(), runner);
    }

    /// Stops running an app's jobs. Their rows stay in the store.
    pub(crate) async fn detach(&self, app: &Name) {
        let runner = self.runners().remove(app);
        if let Some(runner) = runner {
            runner.tasks.stop(HOST_CALL).await;
        }
    }

    /// Ends the jobs of apps that are not in the component's scopes any more, and begins those of apps that are by now.
    pub(crate) async fn refresh(&self, apps: &[Arc<App>]) {
        for app in apps {
            let now = std::time::Instant::now();
            let caller = Call::operator(app.tenant().clone(), app.id().clone(), now);
            match self.component(&caller) {
                Ok(_) => self.attach(app),
                Err(_) => self.detach(app.id()).await,
            }
        }
    }

    /// Lists the apps whose jobs run.
    pub(crate) fn users(&self) -> Vec<Name> {
        self.runners().keys().cloned().collect()
    }

    /// Forgets every runner.
    pub(crate) fn clear(&self) {
        self.runners().clear();
    }

    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let known = self.components.all();
        if let Some(known) = known.iter().find(|slot| slot.name() != *prepared.name()) {
            return Err(Error::invalid(format!(
                "a tenant has one jobs component; `{}` is it already",
                known.name()
            )));
        }
        let (component, (), driver) = prepared.open().await?;
        let features = driver.features();
        require(&component, |name| features.has(name))?;
        let configured = Arc::new(Configured {
            driver,
            settler: Settler::default(),
            stored: Stored::new(self.ledger.clone()),
        });
        configured.count();
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// Returns once the job is kept as the driver's features promise; `exhausted` where the tenant has as many jobs as it may
    /// have (`quotas.jobs`).
    pub async fn schedule(&self, caller: &Call, job: Job, overwrite: bool) -> Result<()> {
        rules::check_name(&job.name)?;
        grant(caller, &job.name)?;
        let row = rules::row(caller.app_id().as_str(), job, (self.clock)())?;
        let component = self.enter(caller).await?;
        let place = stored::place(&component, caller, &row, overwrite).await?;
        let put = component
            .call(caller, PUT, |d| d.driver.put(row.clone(), overwrite))
            .await;
        component.driver().count();
        drop(place);
        self.look(caller);
        put.map_err(|error| match error.kind() {
            Kind::Conflict => Error::conflict(format!(
                "app `{}` has a job `{}` already; schedule with `overwrite` to start it anew",
                caller.app_id(),
                row.job.name
            )),
            _ => error,
        })
    }

    pub async fn get(&self, caller: &Call, name: &str) -> Result<Option<Status>> {
        Ok(self.row(caller, name).await?.map(Status::from))
    }

    pub async fn delete(&self, caller: &Call, name: &str) -> Result<()> {
        rules::check_name(name)?;
        grant(caller, name)?;
        let app = caller.app_id().as_str();
        let component = self.enter(caller).await?;
        let deleted = component
            .call(caller, DELETE, |d| d.driver.delete(app, name))
            .await;
        component.driver().count();
        deleted
    }

    /// Jobs whose names start with `prefix`; those that are not granted are left out.
    pub async fn list(
        &self,
        caller: &Call,
        prefix: &str,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Listing> {
        rules::check_prefix(prefix)?;
        cursor.map_or(Ok(()), rules::check_name)?;
        let limit = rules::check_limit(limit)?;
        let app = caller.app_id().as_str();
        let page = self
            .enter(caller)
            .await?
            .call(caller, LIST, |d| d.driver.list(app, prefix, cursor, limit))
            .await?;
        let granted = |row: &Row| grant(caller, &row.job.name).is_ok();
        let rows = page.rows.into_iter().filter(granted);
        Ok(Listing {
            jobs: rows.map(Status::from).collect(),
            next: page.next,
        })
    }

    /// Pauses a job: a run under way ends by itself, and nothing more comes until [`Jobs::resume`].
    pub async fn pause(&self, caller: &Call, name: &str) -> Result<()> {
        self.change(caller, name, |row| {
            Ok((!row.paused).then(|| Some(transitions::paused(row))))
        })
        .await
    }

    pub async fn resume(&self, caller: &Call, name: &str) -> Result<()> {
        let runner = self.runners().get(caller.app_id()).cloned();
        let running = || {
            runner
                .as_ref()
                .is_some_and(|runner| runner.is_running(name))
        };
        let resumed = self
            .change(caller, name, |row| {
                let now = (self.clock)();
                match row.paused {
                    true => transitions::resumed(row, now, running()).map(Some),
                    false => Ok(None),
                }
            })
            .await;
        self.look(caller);
        resumed
    }

    /// Writes what `change` makes of the row, again if others write meanwhile; none is no change.
    async fn change(
        &self,
        caller: &Call,
        name: &str,
        change: impl Fn(&Row) -> Result<Option<Option<Row>>>,
    ) -> Result<()> {
        let component = self.component(caller)?;
        for _ in 0..TRIES {
            let Some(row) = self.row(caller, name).await? else {
                return Err(missing(caller, name));
            };
            let Some(changed) = change(&row)? else {
                return Ok(());
            };
            let settle = Settle {
                app: row.app,
                name: row.job.name,
                version: row.version,
                row: changed,
            };
            let component = component.enter(caller).await?;
            let settler = &component.driver().settler;
            match settler.settle(&component, caller, settle).await {
                Err(error) if error.kind() == Kind::Conflict => {}
                answer => return answer,
            }
        }
        Err(Error::conflict(format!(
            "job `{name}` changes all the time; try again"
        )))
    }

    async fn row(&self, caller: &Call, name: &str) -> Result<Option<Row>> {
        rules::check_name(name)?;
        grant(caller, name)?;
        let app = caller.app_id().as_str();
        self.enter(caller)
            .await?
            .call(caller, GET, |d| d.driver.get(app, name))
            .await
    }

    /// The tenant's component, if the app is in its scope.
    fn component(&self, caller: &Call) -> Result<Arc<Slot<Configured>>> {
        let Some(slot) = self.components.all().into_iter().next() else {
            return Err(Error::not_found(format!(
                "no jobs component for app `{}`; declare one of type `jobs.<driver>`",
                caller.app_id()
            )));
        };
        self.components.find(caller, slot.name().as_str())
    }

    async fn enter(&self, caller: &Call) -> Result<Use<Configured>> {
        self.component(caller)?.enter(caller).await
    }

    /// The app's loop sleeps until what it knows of; now there may be more.
    fn look(&self, caller: &Call) {
        if let Some(runner) = self.runners().get(caller.app_id()) {
            runner.look();
        }
    }

    fn runners(&self) -> MutexGuard<'_, Runners> {
        self.runners.lock()
    }
}

fn grant(caller: &Call, name: &str) -> Result<()> {
    let what = format_args!("job `{name}`");
    caller.require_grant(|grants| grants.jobs(name), what, "jobs", name)
}

fn missing(caller: &Call, name: &str) -> Error {
    Error::not_found(format!("app `{}` has no job `{name}`", caller.app_id()))
}
