//! Numbers of a tenant that are not counted but looked up: what it has now.

use super::Tenant;
use crate::{
    App, Health,
    metrics::{COMPONENT_LOADED, Family, Page, named, word},
};

static CALLS: Family = Family::gauge(
    "wythe_app_calls_under_way",
    "Calls of an app that are under way now; limits.concurrency are the most.",
);
static INSTANCES: Family = Family::gauge(
    "wythe_app_instances",
    "Instances of an app now, idle ones too.",
);
static HOST_MEMORY: Family = Family::gauge(
    "wythe_host_memory_bytes",
    "Bytes that the host holds for an app, such as bodies under way; limits.hostMemory are the most.",
);
static HEALTHY: Family = Family::gauge(
    "wythe_app_healthy",
    "1 while an app with a health check is well; 0: it is asked for nothing, the log has the reason.",
);
static LOOKS: Family = Family::counter(
    "wythe_app_health_looks_total",
    "Looks at the health of an app by what they found.",
);
static COMPONENTS: Family = Family::gauge("wythe_components", "Components of a tenant.");

impl Tenant {
    /// Says whether its numbers are shown by Dapr's names too: unless one of its configurations says no.
    pub(crate) fn wants_daprs_names(&self) -> bool {
        let settings = self.settings();
        let own = settings.configurations.iter();
        let mut own = own.filter(|one| self.name().has(one.namespace.as_ref()));
        own.all(|one| one.metric)
    }

    /// Adds what the tenant has now, and the backlog of its subscriptions.
    pub(crate) fn collect(&self, page: &mut Page) {
        let tenant = self.name().as_str();
        for app in self.all_apps() {
            collect_app(page, &app);
        }
        self.actors.collect(page, self.name());
        for component in self.manifests().values() {
            let kind = component.kind();
            let labels = [named("type", kind.clone())];
            page.number(&COMPONENTS, tenant, &labels, 1.0);
            if page.wants_daprs(self.name()) {
                let labels = [word("app_id", "*"), named("component", kind)];
                page.number(&COMPONENT_LOADED, tenant, &labels, 1.0);
            }
        }
    }
}

fn collect_app(page: &mut Page, app: &App) {
    let (tenant, usage) = (app.tenant().as_str(), app.usage());
    let labels = [named("app", app.id().as_str())];
    let values = [
        (&CALLS, app.under_way()),
        (&INSTANCES, usage.instances),
        (&HOST_MEMORY, usage.host_memory),
    ];
    for (family, value) in values {
        page.number(family, tenant, &labels, value as f64);
    }
    if let Some(looks) = app.looks() {
        let is_well = app.health() == Health::Well;
        page.number(&HEALTHY, tenant, &labels, f64::from(u8::from(is_well)));
        for (outcome, count) in ["well", "failed"].into_iter().zip(looks) {
            let labels = [named("app", app.id().as_str()), word("outcome", outcome)];
            page.number(&LOOKS, tenant, &labels, count as f64);
        }
    }
}
