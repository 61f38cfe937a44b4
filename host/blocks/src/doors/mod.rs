//! The host's HTTP server as its tenants share it: which app has which prefix of paths, and which component which path.

use crate::{App, Error, Rate, Result, bindings::WebhookRoute};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};
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
}

/// Every route and every webhook.
#[derive(Default)]
pub struct Routes {
    routes: ArcSwap<Vec<Arc<Route>>>,
    webhooks: ArcSwap<BTreeMap<String, Arc<WebhookRoute>>>,
    /// Held while a path is claimed.
    claiming: Mutex<()>,
}

impl Routes {
    /// Gives an app a prefix such as `/cart`, in place of the one that it had; `/` is for everything that no longer
    /// prefix claims. None takes its prefix away. `conflict` where another app has it.
    pub fn route(&self, prefix: Option<&str>, app: &Arc<App>) -> Result<()> {
        let _turn = self.claiming.lock();
        let mut routes = Vec::clone(&self.routes.load());
        routes.retain(|route| !route.is_of(app));
        if let Some(written) = prefix {
            let prefix = written.trim_end_matches('/').to_owned();
            if let Some(other) = routes.iter().find(|route| route.prefix == prefix) {
                return Err(Error::conflict(format!(
                    "the prefix `{written}` is that of app `{}`; expected another one",
                    other.app.id()
                )));
            }
            routes.push(Arc::new(Route {
                prefix,
                app: app.clone(),
                refusals: Rate::per_second(REFUSALS),
            }));
            routes.sort_by_key(|route| Reverse(route.prefix.len()));
        }
        self.routes.store(Arc::new(routes));
        Ok(())
    }

    /// The route with the longest prefix of this path.
    pub fn find(&self, path: &str) -> Option<Arc<Route>> {
        let routes = self.routes.load();
        let mut routes = routes.iter();
        let found = routes.find(|route| {
            let rest = path.strip_prefix(route.prefix.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        found.cloned()
    }

    /// The longest that an answer of these apps may wait for its reader.
    pub fn stall_time(&self) -> Duration {
        let routes = self.routes.load();
        let stalls = routes.iter().map(|route| route.app.limits().stall_time);
        stalls.max().unwrap_or_default()
    }

    /// Gives a component the path of its webhook, in place of one that it had. `conflict` where another component has it.
    pub(crate) fn claim(&self, route: WebhookRoute) -> Result<()> {
        let _turn = self.claiming.lock();
        let mut routes = BTreeMap::clone(&self.webhooks.load());
        let path = route.webhook.path.clone();
        routes.retain(|_, other| !other.is_of(&route.tenant, &route.component));
        if let Some(other) = routes.get(&path) {
            return Err(Error::conflict(format!(
                "the path `{path}` is that of bindings component `{}`; expected another one",
                other.component
            )));
        }
        routes.insert(path, Arc::new(route));
        self.webhooks.store(Arc::new(routes));
        Ok(())
    }

    /// Removes the webhook of a component that is gone.
    pub(crate) fn close(&self, tenant: &Name, component: &ComponentName) {
        let _turn = self.claiming.lock();
        let mut routes = BTreeMap::clone(&self.webhooks.load());
        routes.retain(|_, route| !route.is_of(tenant, component));
        self.webhooks.store(Arc::new(routes));
    }

    /// Takes away all that a tenant has.
    pub(crate) fn clear(&self, tenant: &Name) {
        let _turn = self.claiming.lock();
        let mut routes = BTreeMap::clone(&self.webhooks.load());
        routes.retain(|_, route| route.tenant != *tenant);
        self.webhooks.store(Arc::new(routes));
        let mut routes = Vec::clone(&self.routes.load());
        routes.retain(|route| route.app.tenant() != tenant);
        self.routes.store(Arc::new(routes));
    }

    /// The webhook at this path, which is matched whole.
    pub fn webhook(&self, path: &str) -> Option<Arc<WebhookRoute>> {
        self.webhooks.load().get(path).cloned()
    }

    /// Routes and webhooks, in all.
    pub fn count(&self) -> usize {
        self.routes.load().len() + self.webhooks.load().len()
    }

    /// Routes and webhooks of one tenant.
    pub fn count_of(&self, tenant: &Name) -> usize {
        let (routes, webhooks) = (self.routes.load(), self.webhooks.load());
        let routes = routes.iter().filter(|route| route.app.tenant() == tenant);
        let webhooks = webhooks.values().filter(|route| route.tenant == *tenant);
        routes.count() + webhooks.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Callee, Exports, Profile, bindings::Webhook};

    struct Silent;

    impl Callee for Silent {
        fn exports(&self) -> Exports {
            Exports::default()
        }
    }

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn app(tenant: &str, id: &str) -> Arc<App> {
        App::new(Profile::new(name(tenant), name(id)), Arc::new(Silent))
    }

    fn route(tenant: &str, component: &str, path: &str) -> WebhookRoute {
        let webhook = Webhook {
            path: path.into(),
            methods: vec!["POST".into()],
            max_body: 1,
        };
        WebhookRoute::new(webhook, name(tenant), component.parse().unwrap())
    }

    fn found(routes: &Routes, path: &str) -> Option<String> {
        routes.find(path).map(|route| route.app.id().to_string())
    }

    #[test]
    fn the_longest_prefix_answers_and_has_one_app() {
        let routes = Routes::default();
        let (shop, cart) = (app("a", "shop"), app("a", "cart"));
        routes.route(Some("/"), &shop).unwrap();
        routes.route(Some("/cart"), &cart).unwrap();
        assert_eq!(found(&routes, "/cart/1").as_deref(), Some("cart"));
        assert_eq!(found(&routes, "/carts").as_deref(), Some("shop"));
        let error = routes.route(Some("/cart/"), &app("b", "cart")).unwrap_err();
        assert_eq!(
            error.message(),
            "the prefix `/cart/` is that of app `cart`; expected another one"
        );
        // The same app may come again, and move.
        routes.route(Some("/basket"), &app("a", "cart")).unwrap();
        assert_eq!(found(&routes, "/cart").as_deref(), Some("shop"));
        routes.route(None, &shop).unwrap();
        assert_eq!(found(&routes, "/cart"), None);
        routes.clear(&name("a"));
        assert_eq!(routes.count(), 0);
    }

    #[test]
    fn a_path_has_one_component_and_a_component_one_path() {
        let routes = Routes::default();
        routes.claim(route("a", "one", "/hook")).unwrap();
        routes.claim(route("a", "one", "/hook")).unwrap();
        for (tenant, component) in [("a", "two"), ("b", "one")] {
            let error = routes.claim(route(tenant, component, "/hook")).unwrap_err();
            assert_eq!(
                error.message(),
                "the path `/hook` is that of bindings component `one`; expected another one"
            );
        }
        routes.claim(route("a", "one", "/other")).unwrap();
        assert!(routes.webhook("/hook").is_none() && routes.webhook("/other").is_some());
        routes.close(&name("b"), &"one".parse().unwrap());
        assert_eq!(routes.count(), 1);
        routes.close(&name("a"), &"one".parse().unwrap());
        assert_eq!(routes.count(), 0);
    }
}
