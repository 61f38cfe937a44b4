//! The host's HTTP server as its tenants share it: which tenant is asked, which of its apps has which prefix of paths, and
//! which of its components which path.

mod entrance;
mod table;
#[cfg(test)]
mod tests;

pub use entrance::{Entrance, KnownBy};

use crate::{App, Error, Process, Rate, Result, bindings::WebhookRoute, middleware::Pipeline};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use table::{Scope, Table};
use wythe_manifest::{ComponentName, Name};

/// Lines of the log about refusals, a second, for each app and for what is no app's.
pub const REFUSALS: u32 = 100;

/// A prefix of paths, with the app that answers there.
pub struct Route {
    prefix: String,
    pub app: Arc<App>,
    /// The rate of lines about requests that were refused here.
    pub refusals: Rate,
}

impl Route {
    fn is_of(&self, app: &App) -> bool {
        (self.app.tenant(), self.app.id()) == (app.tenant(), app.id())
    }

    fn is_for(&self, path: &str) -> bool {
        let rest = path.strip_prefix(self.prefix.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// Every entrance, every route and every webhook.
#[derive(Default)]
pub struct Routes {
    table: ArcSwap<Table>,
    /// Held while a path or a name is claimed.
    claiming: Mutex<()>,
}

/// The tenant that a request is for, as far as its host and its path say.
pub struct Destination {
    table: Arc<Table>,
    /// The tenant; absent where the request is for those that answer to everything.
    tenant: Option<Name>,
    /// Bytes of the path that name the tenant.
    skipped: usize,
}

impl Destination {
    /// The part of the path that is not the tenant's name.
    pub fn rest<'a>(&self, path: &'a str) -> &'a str {
        match path.get(self.skipped..) {
            Some("") | None => "/",
            Some(rest) => rest,
        }
    }

    /// The tenant that is asked; absent where the request is for those that answer to everything.
    pub fn tenant(&self) -> Option<&Name> {
        self.tenant.as_ref()
    }

    /// Bytes of the path that name the tenant.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Says whether a host name is that of this tenant, or of none where that is none.
    pub fn is_owner(&self, host: Option<&str>, tenant: Option<&Name>) -> bool {
        self.table.owner(host) == tenant
    }

    /// The authority that says who the clients of the tenant are.
    pub fn clients(&self) -> KnownBy {
        let scope = self
            .tenant
            .as_ref()
            .and_then(|tenant| self.table.of(tenant));
        scope.map(Scope::clients).unwrap_or_default()
    }

    /// The process of the tenant, which answers all that is for it.
    pub fn process(&self) -> Option<&Arc<Process>> {
        self.table.of(self.tenant.as_ref()?)?.process.as_ref()
    }

    /// The handlers that a request goes through before one of the tenant's apps is asked.
    pub fn pipeline(&self) -> Option<&Arc<Pipeline>> {
        let mut scopes = self.table.scopes(self.tenant.as_ref());
        scopes.find_map(|scope| scope.pipeline.as_ref())
    }

    /// The route with the longest prefix of this path.
    pub fn route(&self, path: &str) -> Option<Arc<Route>> {
        let scopes = self.table.scopes(self.tenant.as_ref());
        let found = scopes.filter_map(|scope| scope.routes.iter().find(|one| one.is_for(path)));
        found.max_by_key(|route| route.prefix.len()).cloned()
    }

    /// The webhook at this path, which is matched whole.
    pub fn webhook(&self, path: &str) -> Option<Arc<WebhookRoute>> {
        let mut scopes = self.table.scopes(self.tenant.as_ref());
        scopes.find_map(|scope| scope.webhooks.get(path)).cloned()
    }
}

impl Routes {
    /// Says by what a tenant is reached, in place of what was said before; until then it answers to everything.
    /// `conflict` where a host name is another tenant's.
    pub fn enter(&self, tenant: &Name, entrance: Entrance) -> Result<()> {
        self.change(|table| table.enter(tenant, entrance))
    }

    /// Gives an app a prefix such as `/cart`, in place of the one that it had; `/` is for everything that no longer
    /// prefix claims. None takes its prefix away. `conflict` where another app has it.
    pub fn route(&self, prefix: Option<&str>, app: &Arc<App>) -> Result<()> {
        self.change(|table| table.route(prefix, app))
    }

    /// Puts handlers before the apps of a tenant, in place of those before.
    pub(crate) fn guard(&self, tenant: &Name, pipeline: Option<Arc<Pipeline>>) {
        let is_guarded = |scope: &Scope| scope.pipeline.is_some();
        // A tenant without handlers has no part in the table before it has a route.
        if pipeline.is_some() || self.table.load().of(tenant).is_some_and(is_guarded) {
            self.edit(|table| table.edit(tenant).pipeline = pipeline);
        }
    }

    /// Gives a component the path of its webhook, in place of one that it had. `conflict` where another component has it.
    pub(crate) fn claim(&self, route: WebhookRoute) -> Result<()> {
        self.change(|table| table.claim(route))
    }

    /// Removes the webhook of a component that is gone.
    pub(crate) fn close(&self, tenant: &Name, component: &ComponentName) {
        let is_its = |route: &Arc<WebhookRoute>| route.is_of(tenant, component);
        let table = self.table.load();
        let scope = table.of(tenant);
        if scope.is_some_and(|scope| scope.webhooks.values().any(is_its)) {
            self.edit(|table| {
                let webhooks = &mut table.edit(tenant).webhooks;
                webhooks.retain(|_, route| !is_its(route));
            });
        }
    }

    /// Takes away all that a tenant has.
    pub(crate) fn clear(&self, tenant: &Name) {
        self.edit(|table| table.clear(tenant));
    }

    /// The tenant that is asked: the one with this host name, else the one that the path begins with, else all those that
    /// answer to everything.
    pub fn place(&self, host: Option<&str>, path: &str) -> Destination {
        let table = self.table.load_full();
        let (tenant, skipped) = table.asked(host, path);
        Destination {
            table,
            tenant,
            skipped,
        }
    }

    /// Gives a tenant's requests to a process; none takes all away that the tenant has.
    pub(crate) fn set_process(&self, tenant: &Name, process: Option<Arc<Process>>) {
        match process {
            Some(process) => self.edit(|table| table.edit(tenant).process = Some(process)),
            None => self.clear(tenant),
        }
    }

    /// Asks the processes of tenants anew for how long an answer may wait.
    pub fn measure(&self) {
        self.edit(|_| {});
    }

    /// The tenant that has this host name.
    pub fn owner(&self, host: &str) -> Option<Name> {
        self.table.load().owner(Some(host)).cloned()
    }

    /// The ways by which a tenant is reached.
    pub fn entrance(&self, tenant: &Name) -> Entrance {
        let table = self.table.load();
        table.of(tenant).map(Scope::entrance).unwrap_or_default()
    }

    /// The longest that an answer of an app may wait for its reader.
    pub fn stall_time(&self) -> Duration {
        self.table.load().stall_time()
    }

    /// Routes and webhooks of one tenant, or of all.
    pub fn count(&self, tenant: Option<&Name>) -> usize {
        self.table.load().count(tenant)
    }

    /// Changes a copy, which is used from then on if nothing was refused.
    fn change(&self, change: impl FnOnce(&mut Table) -> Result<()>) -> Result<()> {
        let _turn = self.claiming.lock();
        let mut table = Table::clone(&self.table.load());
        change(&mut table)?;
        table.measure();
        self.table.store(Arc::new(table));
        Ok(())
    }

    /// Makes a change that nothing refuses.
    fn edit(&self, edit: impl FnOnce(&mut Table)) {
        let edited = self.change(|table| {
            edit(table);
            Ok(())
        });
        debug_assert!(edited.is_ok(), "nothing is claimed");
    }
}

/// The error of a path or a name that another one has.
fn taken(what: &str, owner: &str) -> Error {
    Error::conflict(format!("{what} is that of {owner}; expected another one"))
}
