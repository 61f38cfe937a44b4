//! The routes as they are at one moment, by tenant.

use super::{Entrance, KnownBy, REFUSALS, Route, taken};
use crate::{App, Process, Rate, Result, bindings::WebhookRoute, middleware::Pipeline};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};
use wythe_manifest::Name;

/// The routes of one tenant.
#[derive(Clone, Default)]
pub struct Scope {
    entrance: Entrance,
    /// The process that answers in place of routes and webhooks.
    pub process: Option<Arc<Process>>,
    /// The handlers before its routes.
    pub pipeline: Option<Arc<Pipeline>>,
    /// Longer prefixes come first.
    pub routes: Vec<Arc<Route>>,
    pub webhooks: BTreeMap<String, Arc<WebhookRoute>>,
}

impl Scope {
    pub fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    pub fn clients(&self) -> KnownBy {
        self.entrance.clients()
    }
}

/// The routes of all tenants. A copy shares the scopes that are not changed.
#[derive(Clone, Default)]
pub struct Table {
    scopes: BTreeMap<Name, Arc<Scope>>,
    hosts: Arc<BTreeMap<String, Name>>,
    stall_time: Duration,
}

impl Table {
    pub fn of(&self, tenant: &Name) -> Option<&Scope> {
        self.scopes.get(tenant).map(AsRef::as_ref)
    }

    pub fn edit(&mut self, tenant: &Name) -> &mut Scope {
        Arc::make_mut(self.scopes.entry(tenant.clone()).or_default())
    }

    /// The scope of a tenant; without one, those of all that answer to everything.
    pub fn scopes(&self, tenant: Option<&Name>) -> impl Iterator<Item = &Scope> {
        let one = tenant.and_then(|tenant| self.of(tenant));
        let is_open = |scope: &&Arc<Scope>| scope.entrance == Entrance::Open;
        let all = self.scopes.values().filter(is_open).map(AsRef::as_ref);
        let all = tenant.is_none().then_some(all);
        one.into_iter().chain(all.into_iter().flatten())
    }

    /// The scopes in which a path of this tenant may be taken.
    fn rivals(&self, tenant: &Name) -> impl Iterator<Item = &Scope> {
        let own = self.of(tenant);
        let is_open = own.is_none_or(|scope| scope.entrance == Entrance::Open);
        self.scopes((!is_open).then_some(tenant))
    }

    pub fn enter(&mut self, tenant: &Name, entrance: Entrance) -> Result<()> {
        let hosts = Arc::make_mut(&mut self.hosts);
        hosts.retain(|_, owner| owner != tenant);
        for host in entrance.hosts() {
            if let Some(owner) = hosts.insert(host.to_owned(), tenant.clone()) {
                let owner = format!("tenant `{owner}`");
                return Err(taken(&format!("the host name `{host}`"), &owner));
            }
        }
        self.edit(tenant).entrance = entrance;
        Ok(())
    }

    pub fn route(&mut self, prefix: Option<&str>, app: &Arc<App>) -> Result<()> {
        if let Some(scope) = self.of(app.tenant())
            && scope.routes.iter().any(|route| route.is_of(app))
        {
            let scope = self.edit(app.tenant());
            scope.routes.retain(|route| !route.is_of(app));
        }
        let Some(written) = prefix else {
            return Ok(());
        };
        let prefix = written.trim_end_matches('/').to_owned();
        let mut routes = self.rivals(app.tenant()).flat_map(|scope| &scope.routes);
        if let Some(other) = routes.find(|route| route.prefix == prefix) {
            let owner = format!("app `{}`", other.app.id());
            return Err(taken(&format!("the prefix `{written}`"), &owner));
        }
        drop(routes);
        let scope = self.edit(app.tenant());
        scope.routes.push(Arc::new(Route {
            prefix,
            app: app.clone(),
            refusals: Rate::per_second(REFUSALS),
        }));
        scope
            .routes
            .sort_by_key(|route| Reverse(route.prefix.len()));
        Ok(())
    }

    pub fn claim(&mut self, route: WebhookRoute) -> Result<()> {
        let path = route.webhook.path.clone();
        let scope = self.edit(&route.tenant);
        scope
            .webhooks
            .retain(|_, other| !other.is_of(&route.tenant, &route.component));
        let mut rivals = self.rivals(&route.tenant);
        if let Some(other) = rivals.find_map(|scope| scope.webhooks.get(&path)) {
            let owner = format!("bindings component `{}`", other.component);
            return Err(taken(&format!("the path `{path}`"), &owner));
        }
        drop(rivals);
        let tenant = route.tenant.clone();
        self.edit(&tenant).webhooks.insert(path, Arc::new(route));
        Ok(())
    }

    pub fn clear(&mut self, tenant: &Name) {
        self.scopes.remove(tenant);
        Arc::make_mut(&mut self.hosts).retain(|_, owner| owner != tenant);
    }

    /// The tenant that has this host name.
    pub fn owner(&self, host: Option<&str>) -> Option<&Name> {
        let host = host.filter(|_| !self.hosts.is_empty())?;
        self.hosts.get(&bare(host))
    }

    /// The tenant that is asked, and the bytes of the path that name it.
    pub fn asked(&self, host: Option<&str>, path: &str) -> (Option<Name>, usize) {
        if let Some(owner) = self.owner(host) {
            return (Some(owner.clone()), 0);
        }
        let rest = path.strip_prefix('/').unwrap_or(path);
        let first = rest.split('/').next().unwrap_or(rest);
        match self.scopes.get_key_value(first) {
            Some((name, scope)) if scope.entrance.is_by_path() => {
                (Some(name.clone()), first.len() + 1)
            }
            _ => (None, 0),
        }
    }

    /// Remembers what each connection asks for.
    pub fn measure(&mut self) {
        let routes = self.scopes.values().flat_map(|scope| &scope.routes);
        let stalls = routes.map(|route| route.app.limits().stall_time);
        let processes = self
            .scopes
            .values()
            .filter_map(|scope| scope.process.as_ref());
        let stalls = stalls.chain(processes.map(|process| process.stall_time()));
        self.stall_time = stalls.max().unwrap_or_default();
    }

    pub fn stall_time(&self) -> Duration {
        self.stall_time
    }

    pub fn count(&self, tenant: Option<&Name>) -> usize {
        let scopes = self.scopes.iter();
        let scopes = scopes.filter(|(name, _)| tenant.is_none_or(|tenant| tenant == *name));
        let routes = scopes.map(|(_, scope)| scope.routes.len() + scope.webhooks.len());
        routes.sum()
    }
}

/// A host name without its port and the dot of the root, in lower case.
fn bare(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    name.to_ascii_lowercase()
}
