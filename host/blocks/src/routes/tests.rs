//! The owners of paths, and the tenant that is asked.

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
    routes
        .place(None, path)
        .route(path)
        .map(|route| route.app.id().to_string())
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
    assert_eq!(routes.count(None), 0);
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
    let has = |path| routes.place(None, path).webhook(path).is_some();
    assert!(!has("/hook") && has("/other"));
    routes.close(&name("b"), &"one".parse().unwrap());
    assert_eq!(routes.count(None), 1);
    routes.close(&name("a"), &"one".parse().unwrap());
    assert_eq!(routes.count(None), 0);
}

fn named(hosts: &[&str], by_path: bool) -> Entrance {
    Entrance::Named {
        hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
        by_path,
        clients: KnownBy::Host,
    }
}

#[test]
fn a_tenant_is_asked_by_its_host_names_or_by_the_path() {
    let routes = Routes::default();
    for (tenant, entrance) in [
        ("a", named(&["a.example", "www.a.example"], false)),
        ("b", named(&[], true)),
        ("c", named(&["c.example"], true)),
    ] {
        routes.enter(&name(tenant), entrance).unwrap();
        // Two tenants may have the same prefix, and the same webhook.
        routes.route(Some("/"), &app(tenant, "one")).unwrap();
        routes.claim(route(tenant, "hook", "/hook")).unwrap();
    }
    let asked = |host: &str, path: &str| {
        let place = routes.place(Some(host), path);
        let rest = place.rest(path);
        let route = place
            .route(rest)
            .map(|route| route.app.tenant().to_string());
        let hook = place.webhook("/hook").map(|route| route.tenant.to_string());
        assert_eq!(route, hook, "{host} {path}");
        route.map(|tenant| format!("{tenant} {rest}"))
    };
    for (host, path, expected) in [
        ("a.example", "/x", Some("a /x")),
        ("WWW.A.Example:8080", "/b/x", Some("a /b/x")),
        ("a.example.", "/", Some("a /")),
        ("other.example", "/b/x", Some("b /x")),
        ("other.example", "/b", Some("b /")),
        ("other.example", "/bb", None),
        ("other.example", "/a/x", None),
        ("localhost:8080", "/c/", Some("c /")),
        ("c.example:1", "/c/", Some("c /c/")),
        ("", "/", None),
    ] {
        assert_eq!(asked(host, path).as_deref(), expected, "{host} {path}");
    }
}

#[test]
fn names_of_one_tenant_have_one_owner_and_others_have_none() {
    let routes = Routes::default();
    let place = || routes.place(None, "/");
    assert!(place().is_owner(Some("a.example"), None));
    routes
        .enter(&name("a"), named(&["a.example", "www.a.example"], false))
        .unwrap();
    routes
        .enter(&name("b"), named(&["b.example"], true))
        .unwrap();
    assert_eq!(routes.owner("A.example."), Some(name("a")));
    assert_eq!(routes.owner("c.example"), None);
    let (a, b) = (name("a"), name("b"));
    for (host, tenant, expected) in [
        (Some("WWW.a.example:8443"), Some(&a), true),
        (Some("a.example"), Some(&b), false),
        (Some("a.example"), None, false),
        (Some("c.example"), None, true),
        (Some("c.example"), Some(&a), false),
        (None, Some(&a), false),
        (None, None, true),
    ] {
        let found = place().is_owner(host, tenant);
        assert_eq!(found, expected, "{host:?} {tenant:?}");
    }
}

#[test]
fn a_host_name_has_one_tenant_until_it_is_given_up() {
    let routes = Routes::default();
    routes
        .enter(&name("a"), named(&["a.example"], false))
        .unwrap();
    let error = routes
        .enter(&name("b"), named(&["b.example", "a.example"], false))
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the host name `a.example` is that of tenant `a`; expected another one"
    );
    // Nothing of it was taken.
    routes
        .enter(&name("c"), named(&["b.example"], false))
        .unwrap();
    routes
        .enter(&name("a"), named(&["new.example"], false))
        .unwrap();
    routes
        .enter(&name("b"), named(&["a.example"], false))
        .unwrap();
    routes.clear(&name("c"));
    routes
        .enter(&name("b"), named(&["b.example"], false))
        .unwrap();
}
