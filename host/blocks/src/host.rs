//! The host: tenants by name, each of which comes, changes and goes while the others run.

use crate::{
    Error, Format, Metrics, Notices, Process, Result, Routes, Tasks,
    spans::Recent,
    tenant::{Settings, Shared, Tenant},
    time,
};
use arc_swap::ArcSwap;
use futures::future::{join, join_all};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_manifest::Name;

type Tenants = BTreeMap<Name, Arc<Tenant>>;
type Processes = BTreeMap<Name, Arc<Process>>;

/// The tenants of one process.
#[derive(Default)]
pub struct Host {
    tenants: ArcSwap<Tenants>,
    /// The tenants that run in processes of their own.
    processes: ArcSwap<Processes>,
    shared: Shared,
    notices: Notices,
    recent: Recent,
    /// Held by whoever opens a tenant: one that is refused leaves the quotas of the one that is there alone.
    opening: Mutex<()>,
}

impl Host {
    /// Adds a tenant with nothing in it; `conflict` where there is one of its name.
    pub fn open(&self, settings: Settings) -> Result<Arc<Tenant>> {
        let _one = self.opening.lock();
        if self.tenants.load().contains_key(&settings.tenant) {
            return Err(Error::conflict(format!(
                "there is a tenant `{}` already; remove it first",
                settings.tenant
            )));
        }
        let tenant = Tenant::new(settings, &self.shared);
        self.tenants.rcu(|tenants| {
            let mut tenants = Tenants::clone(tenants);
            tenants.insert(tenant.name().clone(), tenant.clone());
            tenants
        });
        Ok(tenant)
    }

    pub fn tenant(&self, name: &Name) -> Option<Arc<Tenant>> {
        self.tenants.load().get(name).cloned()
    }

    /// Every tenant, in the order of their names.
    pub fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.load().values().cloned().collect()
    }

    /// Removes a tenant and closes all that it has; false where there is none, or a task of it outlived `limit`.
    pub async fn remove(&self, name: &Name, limit: Duration) -> bool {
        let Some(tenant) = self.tenant(name) else {
            return false;
        };
        // Its name is free once nothing of it is left.
        let closed = tenant.close(limit).await;
        self.tenants.rcu(|tenants| {
            let mut tenants = Tenants::clone(tenants);
            if tenants
                .get(name)
                .is_some_and(|known| Arc::ptr_eq(known, &tenant))
            {
                tenants.remove(name);
            }
            tenants
        });
        closed
    }

    /// Makes known where a tenant runs that is in a process of its own; none takes that away, and the tenant's ways in with it.
    pub fn set_process(&self, tenant: &Name, process: Option<Arc<Process>>) {
        self.processes.rcu(|processes| {
            let mut processes = Processes::clone(processes);
            match &process {
                Some(process) => processes.insert(tenant.clone(), process.clone()),
                None => processes.remove(tenant),
            };
            processes
        });
        self.routes().set_process(tenant, process);
    }

    /// The process of a tenant that has one of its own.
    pub fn process(&self, tenant: &Name) -> Option<Arc<Process>> {
        self.processes.load().get(tenant).cloned()
    }

    /// Every process, in the order of the tenants' names.
    pub fn processes(&self) -> Vec<Arc<Process>> {
        self.processes.load().values().cloned().collect()
    }

    /// The routes and webhooks of all tenants.
    pub fn routes(&self) -> &Arc<Routes> {
        &self.shared.routes
    }

    /// The counters of all tenants.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// All numbers of the host, as text. Drivers are asked how much waits, each for 2 s at most. `turn` is held until the
    /// page is written, whether anybody waits for it or not.
    pub async fn render_metrics<T: Send + 'static>(&self, format: Format, turn: T) -> String {
        let tenants = self.tenants();
        let asked = tenants
            .iter()
            .map(|tenant| join(tenant.pubsub.backlog(), tenant.jobs.overdue()));
        let waiting = join_all(asked).await;
        let metrics = self.metrics().clone();
        // As long as it takes to write what a thousand tenants have, no call waits for it.
        let written = tokio::task::spawn_blocking(move || {
            let plain = tenants.iter().filter(|tenant| !tenant.wants_daprs_names());
            let plain = plain.map(|tenant| tenant.name().clone()).collect();
            let mut page = metrics.page(plain);
            for (tenant, (backlogs, jobs)) in tenants.iter().zip(waiting) {
                tenant.collect(&mut page);
                let name = tenant.name().as_str();
                backlogs.iter().for_each(|one| one.collect(&mut page, name));
                jobs.iter().for_each(|one| one.collect(&mut page, name));
            }
            let text = page.write(format);
            drop(turn);
            text
        });
        written.await.unwrap_or_default()
    }

    /// Changes that were wrong and changed nothing.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The newest spans, for whoever looks at them.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The tasks of all tenants, and of the host.
    pub fn tasks(&self) -> &Tasks {
        &self.shared.tasks
    }

    /// Closes every tenant, then waits for the host's own tasks; false when one outlived `limit`.
    pub async fn close(&self, limit: Duration) -> bool {
        self.shared.tasks.cancel();
        let end = time::deadline(limit);
        let tenants = self.tenants.swap(Arc::default());
        let closed = join_all(tenants.values().map(|tenant| tenant.close(limit))).await;
        let left = end.saturating_duration_since(Instant::now());
        let ended = self.shared.tasks.stop(left).await;
        ended && closed.into_iter().all(|closed| closed)
    }
}
