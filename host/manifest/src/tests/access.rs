//! `accessControl`, `api` and `components.deny` of a `Configuration`: what is read, and what is told.

mod decisions;

use std::path::Path;

use super::{check, manifest, resources};
use crate::{check_names, parse_resources};

const HEAD: &str = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: c }\n";
const CALLER: &str = "appId: a, namespace: default";

fn spec(text: &str) -> String {
    format!("{HEAD}spec: {{ {text} }}\n")
}

fn policy(text: &str) -> String {
    spec(&format!("accessControl: {{ policies: [{{ {text} }}] }}"))
}

fn operation(text: &str) -> String {
    policy(&format!("{CALLER}, operations: [{{ {text} }}]"))
}

fn reported(text: &str) -> String {
    parse_resources(text, Path::new("a.yaml")).1.to_string()
}

fn without_column(reported: &str) -> String {
    let mut parts = reported.splitn(4, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (file, line, _, rest) = (next(), next(), next(), next());
    format!("{file}:{line}:{rest}")
}

#[test]
fn a_client_that_nobody_is_is_an_error() {
    let no_name = |name: &str| {
        format!(
            "a.yaml:4: spec.accessControl.policies[0].client: `{name}` is no name in a client's certificate: expected one as apps read it"
        )
    };
    let about_apps = |key: &str| {
        format!(
            "a.yaml:4: spec.accessControl.policies[0].{key}: is about apps, and the policy about a `client` outside; write one for each"
        )
    };
    for (text, expected) in [
        ("client: partner", no_name("partner")),
        ("client: 'uri:'", no_name("uri:")),
        ("client: 'URI:a'", no_name("URI:a")),
        ("client: 'cn:Ä'", no_name("cn:Ä")),
        ("client: 'cn:a', appId: a", about_apps("appId")),
        (
            "client: 'cn:a', namespace: default",
            about_apps("namespace"),
        ),
        (
            "client: 'cn:a', trustDomain: public",
            about_apps("trustDomain"),
        ),
    ] {
        all_reported(&[(policy(text), expected.as_str())]);
    }
    let long = format!("client: 'cn:{}'", "a".repeat(254));
    assert!(reported(&policy(&long)).contains("256 bytes at most"));
    let twice = spec("accessControl: { policies: [{ client: 'cn:a' }, { client: 'cn:a' }] }");
    assert!(
        reported(&twice)
            .contains("the client `cn:a` has its policy already in a.yaml:4; write one")
    );
}

/// Each text has one problem, which begins so.
#[track_caller]
fn all_reported(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        let reported = without_column(&reported(text));
        assert!(reported.starts_with(expected), "{text}\n{reported}");
        assert_eq!(reported.lines().count(), 1, "{reported}");
    }
}

#[test]
fn a_policy_that_would_hold_nothing_is_an_error() {
    all_reported(&[
        (
            policy("namespace: default"),
            "a.yaml:4: spec.accessControl.policies[0]: missing `appId`: the app that calls",
        ),
        (
            policy("appId: a"),
            "a.yaml:4: spec.accessControl.policies[0]: missing `namespace`: the tenant of the app that calls",
        ),
        (
            policy("appId: A, namespace: default"),
            "a.yaml:4: spec.accessControl.policies[0].appId: `A` is not a name",
        ),
        (
            policy(&format!("{CALLER}, trustDomain: corp")),
            "a.yaml:4: spec.accessControl.policies[0].trustDomain: no caller has the trust domain `corp`: all apps have `public`",
        ),
        (
            policy(&format!("{CALLER}, defaultAction: maybe")),
            "a.yaml:4: spec.accessControl.policies[0].defaultAction: expected `allow` or `deny`, found `maybe`",
        ),
    ]);
}

#[test]
fn what_is_about_nothing_is_an_error() {
    all_reported(&[
        (
            spec("accessControl: { defaultAction: yes }"),
            "a.yaml:4: spec.accessControl.defaultAction: expected `allow` or `deny`, found `yes`",
        ),
        (
            spec(&format!(
                "accessControl: {{ policies: [{{ {CALLER} }}, {{ {CALLER} }}] }}"
            )),
            "a.yaml:4: spec.accessControl.policies[1]: the app `a` has its policy already in a.yaml:4; write one",
        ),
        (
            spec("accessControl: { policies: 7 }"),
            "a.yaml:4: spec.accessControl.policies: expected a list, found a text",
        ),
        (
            format!("{HEAD}scopes: [a]\nspec: {{ components: {{ deny: [state.redis] }} }}\n"),
            "a.yaml:5: spec.components: is for all apps, and the document has `scopes`",
        ),
        (
            format!("{HEAD}scopes: []\nspec: {{}}\n"),
            "a.yaml:1: `scopes` names no app; leave it out where all are meant",
        ),
    ]);
}

#[test]
fn an_operation_without_a_part_is_an_error() {
    all_reported(&[
        (
            operation("httpVerb: ['*'], action: allow"),
            "a.yaml:4: spec.accessControl.policies[0].operations[0]: missing `name`",
        ),
        (
            operation("name: '', httpVerb: ['*'], action: allow"),
            "a.yaml:4: spec.accessControl.policies[0].operations[0].name: ``: expected a path of 1 to 256 bytes, found 0 bytes",
        ),
        (
            operation("name: /a, action: allow"),
            "a.yaml:4: spec.accessControl.policies[0].operations[0]: missing `httpVerb`: verbs, or `['*']` for every one",
        ),
        (
            operation("name: /a, httpVerb: [], action: allow"),
            "a.yaml:4: spec.accessControl.policies[0].operations[0].httpVerb: expected verbs, or `['*']` for every one, found none",
        ),
    ]);
}

#[test]
fn an_operation_that_is_no_path_is_an_error() {
    all_reported(&[
        (
            operation("name: /a, httpVerb: [GTE], action: allow"),
            "a.yaml:4: spec.accessControl.policies[0].operations[0].httpVerb[0]: `GTE` is no verb; expected `*` or one of `GET`",
        ),
        (
            operation("name: /a, httpVerb: ['*']"),
            "a.yaml:4: spec.accessControl.policies[0].operations[0]: missing `action`: `allow` or `deny`",
        ),
        (
            operation("name: /a/../b, httpVerb: ['*'], action: allow"),
            "a.yaml:4: spec.accessControl.policies[0].operations[0].name: `/a/../b`: has a `.` or `..` segment",
        ),
        (
            policy(&format!(
                "{CALLER}, operations: [{{ name: a, httpVerb: [GET], action: allow }}, {{ name: /A/, httpVerb: [PUT], action: allow }}]"
            )),
            "a.yaml:4: spec.accessControl.policies[0].operations[1]: the operation `/A/` is already in line 4; write all its verbs there",
        ),
    ]);
}

#[test]
fn there_are_so_many_policies_and_operations() {
    let policies = |count: usize| {
        let each = (0..count).map(|number| format!("{{ appId: a{number}, namespace: default }}"));
        spec(&format!(
            "accessControl: {{ policies: [{}] }}",
            each.collect::<Vec<_>>().join(", ")
        ))
    };
    assert_eq!(reported(&policies(1_000)), "");
    let expected = "a.yaml:4:24: spec.accessControl: has 1001 policies; at most 1000 are allowed in a document";
    assert_eq!(reported(&policies(1_001)), expected);
    assert!(
        reported(&policies(20_000))
            .starts_with("a.yaml:4:24: spec.accessControl: has 20000 policies")
    );
    let operations = |count: usize| {
        let each = (0..count)
            .map(|number| format!("{{ name: /{number}, httpVerb: ['*'], action: deny }}"));
        policy(&format!(
            "{CALLER}, operations: [{}]",
            each.collect::<Vec<_>>().join(", ")
        ))
    };
    assert_eq!(reported(&operations(200)), "");
    assert!(
        reported(&operations(201))
            .contains("has 201 operations; at most 200 are allowed for a caller")
    );
    let document = format!("---\n{}", spec("accessControl: { defaultAction: deny }"));
    let documents = |count: usize| document.repeat(count);
    assert_eq!(reported(&documents(100)), "");
    assert!(reported(&documents(101)).contains("more than 100 documents of `Configuration` with"));
    let repeated = |count: usize| format!("---\n{}", operations(200)).repeat(count);
    assert_eq!(reported(&repeated(5)), "");
    assert!(
        reported(&repeated(6)).contains("together have more than 1000 operations for the app `a`")
    );
}

const APPS: &str = "version: 1\nname: shop\napps:\n  - { appID: cart, guest: a.wasm, grants: { state: [statestore], invoke: [shop], publish: [pubsub] } }\n  - { appID: shop, guest: a.wasm, grants: { state: [statestore] } }\n";

#[test]
fn a_policy_names_apps_that_are_there() {
    let problems = |text: &str| {
        let manifest = manifest(
            &APPS
                .replace(
                    "grants: { state: [statestore], invoke: [shop], publish: [pubsub] }",
                    "",
                )
                .replace(", grants: { state: [statestore] }", ""),
        );
        check_names(&manifest, &resources(text)).to_string()
    };
    assert_eq!(problems(&policy("appId: cart, namespace: default")), "");
    assert_eq!(
        problems(&policy("appId: crat, namespace: default")),
        "resources/a.yaml:4:37: spec.accessControl.policies: no app of this project is called `crat`; did you mean `cart`?"
    );
    assert_eq!(
        problems(&policy("appId: cart, namespace: prod")),
        "resources/a.yaml:4:37: spec.accessControl.policies: no app of the namespace `prod` can call: the tenant is `default`"
    );
    assert_eq!(
        problems(&format!("{HEAD}scopes: [cart, shpo]\n")),
        "resources/a.yaml:4:16: scopes: no app of this project is called `shpo`; did you mean `shop`?"
    );
    // A document of another tenant is its own.
    let other =
        policy("appId: crat, namespace: prod").replace("name: c ", "name: c, namespace: prod ");
    assert_eq!(problems(&other), "");
}

/// The grants of `cart` and of `shop` that are closed.
fn closed(text: &str) -> [Vec<&'static str>; 2] {
    let (found, mut manifest) = (resources(text), manifest(APPS));
    found.close_grants(&mut manifest);
    let [cart, shop] = [0, 1].map(|index| {
        let closed = manifest.apps[index].grants.closed.iter();
        closed.map(|(key, _)| *key).collect::<Vec<_>>()
    });
    let grants = &manifest.apps[0].grants;
    assert_eq!(grants.state("statestore"), !cart.contains(&"state"));
    assert_eq!(grants.invoke("shop"), !cart.contains(&"invoke"));
    assert_eq!(grants.publish("pubsub", "a"), !cart.contains(&"publish"));
    // What is imported is there all the same: its calls are denied.
    assert!(grants.has("state"));
    [cart, shop]
}

#[test]
fn apis_are_allowed_and_denied_as_in_dapr() {
    let entry = |name: &str| format!("{{ name: {name}, version: v1, protocol: http }}");
    let denied = |name: &str| spec(&format!("api: {{ denied: [{}] }}", entry(name)));
    for (name, expected) in [
        ("state", vec!["state"]),
        ("invoke", vec!["invoke"]),
        ("secrets", vec!["reveal", "secrets"]),
        ("unlock", vec!["lock"]),
        ("workflows", vec!["workflow"]),
        ("subtlecrypto", vec!["crypto"]),
        ("shutdown", vec![]),
    ] {
        assert_eq!(
            closed(&denied(name)),
            [expected.clone(), expected],
            "{name}"
        );
    }
    let allowed = spec(&format!(
        "api: {{ allowed: [{}, {}] }}",
        entry("state"),
        entry("invoke")
    ));
    let others = [
        "actors",
        "bindings",
        "configuration",
        "crypto",
        "jobs",
        "lock",
        "publish",
        "reveal",
        "secrets",
        "workflow",
    ];
    assert_eq!(closed(&allowed)[0], others);
    let both = spec(&format!(
        "api: {{ allowed: [{}], denied: [{0}] }}",
        entry("state")
    ));
    assert!(closed(&both)[0].contains(&"state"));
    let scoped = denied("publish").replace("spec:", "scopes: [cart]\nspec:");
    assert_eq!(closed(&scoped), [vec!["publish"], vec![]]);
    let empty = spec("api: { allowed: [], denied: [] }");
    assert!(closed(&empty).concat().is_empty());
}

#[test]
fn an_entry_that_is_no_api_is_an_error() {
    for (entry, expected) in [
        (
            "name: stat, version: v1, protocol: http",
            "spec.api.denied[0].name: no API is called `stat`",
        ),
        (
            "version: v1, protocol: http",
            "spec.api.denied[0]: missing `name`",
        ),
        (
            "name: state, protocol: http",
            "spec.api.denied[0]: missing `version`",
        ),
        (
            "name: state, version: 1, protocol: http",
            "spec.api.denied[0].version: expected a version such as `v1`, found `1`",
        ),
        (
            "name: state, version: v1",
            "spec.api.denied[0]: missing `protocol`",
        ),
        (
            "name: state, version: v1, protocol: tcp",
            "spec.api.denied[0].protocol: expected `http` or `grpc`, found `tcp`",
        ),
    ] {
        let reported = reported(&spec(&format!("api: {{ denied: [{{ {entry} }}] }}")));
        assert!(
            reported.contains(expected) && reported.lines().count() == 1,
            "{reported}"
        );
    }
}

const STORE: &str = "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: store }\nspec: { type: state.redis, version: v1 }\n";

#[test]
fn a_denied_type_may_not_be_there() {
    let named = |text: &str| {
        let manifest = manifest("version: 1\nname: shop\napps: []\n");
        check_names(&manifest, &resources(text)).to_string()
    };
    for (kind, expected) in [
        ("state.redis", true),
        ("State.Redis", true),
        ("state.redis/v1", true),
        ("state.redis/V1", true),
        ("state.redis/v2", false),
        ("state.redb", false),
        ("pubsub.redis", false),
    ] {
        let deny = spec(&format!("components: {{ deny: [{kind}] }}"));
        let reported = named(&[&deny, STORE].concat());
        let text = "resources/a.yaml:6:1: spec.type: the type `state.redis` of `store` is denied by `components.deny` at resources/a.yaml:4; remove the component, or the type there";
        assert_eq!(reported, if expected { text } else { "" }, "{kind}");
    }
    let elsewhere = spec("components: { deny: [state.redis] }")
        .replace("name: c ", "name: c, namespace: other ");
    assert_eq!(named(&[&elsewhere, STORE].concat()), "");
    check(
        "a.yaml",
        &spec("components: { deny: [stat.redis] }"),
        "a.yaml:4:30: spec.components.deny[0]: expected a type such as `state.in-memory` or `bindings.http/v1`, which begins with one of `bindings`, `configuration`, `conversation`, `crypto`, `jobs`, `lock`, `middleware`, `nameresolution`, `pubsub`, `secretstores`, `state`, found `stat.redis`; did you mean `state`?",
    );
    let many = vec!["state.a"; 1_001].join(", ");
    let reported = reported(&spec(&format!("components: {{ deny: [{many}] }}")));
    assert!(
        reported.contains("more than 1000 types are denied"),
        "{reported}"
    );
}
