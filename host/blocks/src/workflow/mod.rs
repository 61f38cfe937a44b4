//! The whole of the workflow block's rules: ordinary code whose every step is written down, so that it goes on where
//! it was after a crash, a wait of months, or a move.

mod core;
mod engine;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod store;

#[cfg(test)]
mod tests;

pub use self::core::{
    context::{Context, Price, Task, numbers},
    entry::{Entry, Kind, Parent, Retry},
    meta::Status,
    names::MAX_ID,
    task_table::Outcome,
};
pub use engine::{Bulk, Engine, Filter, History, Instance, Page, Start, Swept};

pub use crate::time::Timestamp;
use crate::{App, Error, Result, Tasks, quota::Ledger, state::State, time::now};
use bytes::Bytes;
use engine::Directory;
use parking_lot::{Mutex, RwLock};
use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};
use wythe_manifest::Name;

/// The limits of sizes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of an input, an output, an event.
    pub payload: usize,
    /// The most entries of one journal.
    pub entries: usize,
    /// Bytes of what a step asks for, and of one journal.
    pub step_bytes: usize,
    pub journal_bytes: usize,
    /// Events of one instance that nobody has waited for, and their bytes.
    pub events: usize,
    pub event_bytes: usize,
    /// Bytes of a custom status.
    pub status: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            payload: 2 << 20,
            entries: 50_000,
            step_bytes: 16 << 20,
            journal_bytes: 64 << 20,
            events: 500,
            event_bytes: 8 << 20,
            status: 4 << 10,
        }
    }
}

/// The settings of an engine.
#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    /// The time that an instance that waits stays in memory.
    pub linger: Duration,
    /// Instances in memory at once, of which one app may have half.
    pub hot: usize,
    /// Bytes of the journals in memory.
    pub hot_bytes: usize,
    /// Activities at once of one app.
    pub in_flight: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            limits: Limits::default(),
            linger: Duration::from_secs(1),
            hot: 128,
            hot_bytes: 256 << 20,
            in_flight: 64,
        }
    }
}

/// An activity on its way into an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityCall {
    pub name: String,
    /// The instance that waits for it.
    pub workflow: String,
    /// The key, the same on every attempt, and never that of another call.
    pub key: String,
    /// 1 on the first attempt.
    pub attempt: u32,
    pub input: Bytes,
}

/// The reason why an activity has no answer, in its app's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another attempt may help.
    Retryable(String),
    Permanent(String),
}

/// The workflow block.
pub struct Workflow {
    tasks: Tasks,
    ledger: Arc<Ledger>,
    /// The directory of the tenants' data.
    data: PathBuf,
    tenants: Mutex<HashMap<Name, Tenant>>,
}

#[derive(Default)]
struct Tenant {
    directory: Arc<RwLock<Directory>>,
    settings: Settings,
    engine: Option<Arc<Engine>>,
}

impl Workflow {
    /// The tenant's instances and their journals are held of `ledger`; below `data` each tenant has a directory.
    pub fn new(tasks: Tasks, ledger: Arc<Ledger>, data: PathBuf) -> Self {
        Workflow {
            tasks,
            ledger,
            data,
            tenants: Mutex::default(),
        }
    }

    /// Sets the settings of engines that are made from now on.
    pub fn configure(&self, tenant: &Name, settings: Settings) {
        self.with(tenant, |tenant| tenant.settings = settings);
    }

    /// Makes an app's workflows and activities known, in place of those that it had.
    pub fn attach(
        &self,
        app: &Arc<App>,
        workflows: Vec<String>,
        activities: Vec<String>,
    ) -> Result<(), Vec<Error>> {
        let directory = self.with(app.tenant(), |tenant| tenant.directory.clone());
        let mut directory = directory.write();
        directory.add(app, workflows, activities)
    }

    /// Makes an app's workflows and activities unknown. Instances wait for an app that has them again.
    pub(crate) fn detach(&self, app: &Arc<App>) {
        let directory = self.with(app.tenant(), |tenant| tenant.directory.clone());
        let mut directory = directory.write();
        directory.remove(app.id());
    }

    /// A tenant's engine. It reads and writes; it runs nothing before [`Workflow::begin`].
    pub fn engine(&self, tenant: &Name, state: &State) -> Result<Arc<Engine>> {
        if let Some(engine) = self.with(tenant, |tenant| tenant.engine.clone()) {
            return Ok(engine);
        }
        let internal_store = state.internal_store()?;
        Ok(self.with(tenant, |known| {
            let make = || {
                let (directory, settings) = (known.directory.clone(), known.settings.clone());
                Engine::new(
                    tenant.clone(),
                    internal_store,
                    directory,
                    self.tasks.clone(),
                    (settings, self.ledger.clone()),
                    self.data.join(tenant.as_str()),
                )
            };
            known.engine.get_or_insert_with(make).clone()
        }))
    }

    /// Takes up what an earlier process left, and from then on runs what comes. Nothing happens where no app has
    /// workflows or activities.
    pub fn begin(&self, tenant: &Name, state: &State) -> Result<()> {
        let directory = self.with(tenant, |tenant| tenant.directory.clone());
        let is_empty = directory.read().is_empty();
        if !is_empty {
            self.engine(tenant, state)?.begin();
        }
        Ok(())
    }

    /// Forgets every engine and what the apps have of workflows.
    pub(crate) fn clear(&self) {
        let mut tenants = self.tenants.lock();
        for tenant in tenants.values() {
            let mut directory = tenant.directory.write();
            *directory = Directory::default();
        }
        tenants.clear();
    }

    fn with<T>(&self, tenant: &Name, use_it: impl FnOnce(&mut Tenant) -> T) -> T {
        let mut tenants = self.tenants.lock();
        use_it(tenants.entry(tenant.clone()).or_default())
    }
}
