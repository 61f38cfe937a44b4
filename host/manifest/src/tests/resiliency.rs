//! Policies of calls: what is read of them, and what is refused because it would not be enforced.

use std::time::Duration;

use super::{check, manifest, resources};
use crate::{Aim, BreakerScope, Counts, Matching, Pace, Problem, Resiliency, check_names};

const HEAD: &str = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: { name: r }\n";

fn read(spec: &str) -> Resiliency {
    resources(&format!("{HEAD}{spec}")).resiliencies.remove(0)
}

fn wrong(spec: &str, expected: &str) {
    check("a.yaml", &format!("{HEAD}{spec}"), expected);
}

#[test]
fn what_dapr_users_write_is_read() {
    let read = read(include_str!("resiliency.yaml"));
    let retry = |name: &str| read.retries[name].value.clone();
    assert_eq!(read.timeouts["general"].value, Duration::from_secs(5));
    assert_eq!(retry("plain").pace, Pace::Constant(Duration::from_secs(5)));
    assert_eq!(
        (retry("plain").max_retries, retry("plain").matching),
        (None, Matching::default())
    );
    assert_eq!(retry("important").max_retries, Some(30));
    assert_eq!(
        retry("grow").pace,
        Pace::Exponential(Duration::from_secs(15))
    );
    let matching = retry("grow").matching;
    let (http, grpc) = (
        matching.http.expect("a list"),
        matching.grpc.expect("a list"),
    );
    let is_listed = [428, 429, 430, 500, 599].map(|code| http.contain(code));
    assert_eq!(is_listed, [false, true, false, true, true]);
    assert!(grpc.contain(14) && !grpc.contain(13));
    let breaker = &read.breakers["plain"].value;
    let times = (breaker.max_requests, breaker.interval, breaker.timeout);
    assert_eq!(times, (1, None, Duration::from_secs(60)));
    let failed = |consecutive_failures| Counts {
        consecutive_failures,
        ..Counts::default()
    };
    assert_eq!(
        [5, 6].map(|n| breaker.trip.holds(&failed(n))),
        [false, true]
    );
}

#[test]
fn targets_are_read_with_their_lines() {
    let read = read(include_str!("resiliency.yaml"));
    let targets: Vec<_> = read
        .targets
        .iter()
        .map(|one| (one.aim, one.name.as_str()))
        .collect();
    let expected = [
        (Aim::App, "cart"),
        (Aim::Actor, "Account"),
        (Aim::Inbound, "pubsub"),
        (Aim::Outbound, "pubsub"),
        (Aim::Outbound, "statestore"),
    ];
    assert_eq!(targets, expected);
    let actor = &read.targets[1];
    assert_eq!((actor.scope, actor.cache), (BreakerScope::Both, 7));
    assert_eq!(read.source.line, 1);
    assert_eq!(read.retries["plain"].source.line, 9);
}

#[test]
fn numbers_have_ranges() {
    wrong(
        "\
spec:
  policies:
    timeouts: { a: 0s, b: 25h, c: soon }
    retries:
      d: { policy: linear }
      e: { duration: 1ns, maxRetries: -2 }
      f: { maxRetries: 1001 }
      g: { matching: { httpStatusCodes: bogus } }
      h: { matching: { httpStatusCodes: \"600\", gRPCStatusCodes: \"0,4-2\" } }
    circuitBreakers:
      i: { maxRequests: 10001, trip: consecutiveFailure > 5 }
      j: { timeout: 0s, interval: 0s }
  targets: {}
",
        "\
a.yaml:6:20: spec.policies.timeouts.a: expected 1ms to 24h, found `0s`
a.yaml:6:27: spec.policies.timeouts.b: expected 1ms to 24h, found `25h`
a.yaml:6:35: spec.policies.timeouts.c: expected a duration such as `30s`, `250ms` or `1h30m`, found `soon`
a.yaml:8:20: spec.policies.retries.d.policy: expected `constant` or `exponential`, found `linear`
a.yaml:9:22: spec.policies.retries.e.duration: expected 1ms to 24h, found `1ns`
a.yaml:9:39: spec.policies.retries.e.maxRetries: expected a whole number, found `-2`
a.yaml:10:24: spec.policies.retries.f.maxRetries: expected 0 to 1000, found `1001`
a.yaml:11:41: spec.policies.retries.g.matching.httpStatusCodes: expected numbers and ranges of 100 to 599 with commas, such as `100,100-599`, found `bogus`
a.yaml:12:41: spec.policies.retries.h.matching.httpStatusCodes: expected numbers and ranges of 100 to 599 with commas, such as `100,100-599`, found `600`
a.yaml:12:65: spec.policies.retries.h.matching.gRPCStatusCodes: expected numbers and ranges of 1 to 16 with commas, such as `1,1-16`, found `0,4-2`
a.yaml:14:25: spec.policies.circuitBreakers.i.maxRequests: expected 0 to 10000, found `10001`
a.yaml:15:21: spec.policies.circuitBreakers.j.timeout: expected 1ms to 24h, found `0s`",
    );
    wrong(
        "spec: { policies: { circuitBreakers: { DefaultCircuitBreakerPolicy: { trip: consecutiveFailure > 5 } } } }\n",
        "a.yaml:4:77: spec.policies.circuitBreakers.DefaultCircuitBreakerPolicy.trip: the condition `consecutiveFailure > 5` \
         names `consecutiveFailure`; a breaker knows requests, totalSuccesses, totalFailures, consecutiveSuccesses, \
         consecutiveFailures; did you mean `consecutiveFailures`?",
    );
}

#[test]
fn what_would_not_be_enforced_is_refused() {
    wrong(
        "\
spec:
  policies:
    timeouts: { fast: 1s, unused: 1s, DefaultApTimeoutPolicy: 1s }
    retries:
      DaprBuiltInServiceRetries: { policy: exponential, duration: 1s }
      DaprBuiltInInitializationRetries: { maxRetries: 9 }
    circuitBreakers: { b: {} }
  targets:
    apps: { cart: { timeout: fats, retry: fast, circuitBreakerScope: id } }
    actors: { Account: { timeout: fast, circuitBreaker: b } }
    components: { s: { sideways: {}, outbound: { circuitBreaker: b, circuitBreakerCacheSize: 5 } } }
",
        "\
a.yaml:6:27: warning: spec.policies.timeouts: no effect: no target names `unused`
a.yaml:6:39: spec.policies.timeouts: no effect: no target names `DefaultApTimeoutPolicy`; did you mean `DefaultAppTimeoutPolicy`?
a.yaml:8:57: warning: spec.policies.retries.DaprBuiltInServiceRetries.duration: no effect with `exponential`, as in Dapr; remove it
a.yaml:9:7: spec.policies.retries: `DaprBuiltInInitializationRetries` is not enforced: a component is opened once, within its `initTimeout`; remove it
a.yaml:12:30: spec.targets: no policy of `timeouts` is called `fats`; did you mean `fast`?
a.yaml:12:43: spec.targets: no policy of `retries` is called `fast`
a.yaml:12:49: spec.targets.apps.cart.circuitBreakerScope: unknown key; expected one of `timeout`, `retry`, `circuitBreaker`, `circuitBreakerCacheSize`; did you mean `circuitBreaker`?
a.yaml:13:24: spec.targets.actors.Account: missing `circuitBreakerScope`: `id`, `type` or `both`
a.yaml:14:24: spec.targets.components.s.sideways: unknown key; expected one of `inbound`, `outbound`
a.yaml:14:69: spec.targets.components.s.outbound.circuitBreakerCacheSize: unknown key; expected one of `timeout`, `retry`, `circuitBreaker`",
    );
}

#[test]
fn names_are_text_and_what_an_app_does_not_use_is_a_warning() {
    wrong(
        "spec:\n  policies: { timeouts: { \"a\\nb\": 1s } }\n",
        "a.yaml:5:35: spec.policies.timeouts.a\\nb: expected a name of 1 to 256 bytes without control characters",
    );
    wrong(
        "\
spec:
  policies: { circuitBreakers: { b: {} } }
  targets: { apps: { cart: { circuitBreaker: b, circuitBreakerCacheSize: 5 } } }
",
        "a.yaml:6:74: warning: spec.targets.apps.cart.circuitBreakerCacheSize: has no effect: an app has one circuit breaker",
    );
}

/// Documents with a policy and a target each.
fn documents(scopes: &[&str]) -> String {
    let one = |scopes: &&str| {
        format!(
            "{HEAD}scopes: [{scopes}]\nspec:\n  policies: {{ timeouts: {{ t: 1s }} }}\n  targets: {{ apps: {{ a: {{ timeout: t }} }} }}\n---\n"
        )
    };
    scopes.iter().map(one).collect()
}

#[test]
fn documents_are_merged_and_conflicts_name_both_lines() {
    check("a.yaml", &documents(&["a", "b, c", "d"]), "");
    check(
        "a.yaml",
        &documents(&["a, b", "b"]),
        "\
a.yaml:14:27: spec.policies.timeouts: `t` is already defined in a.yaml:6; leave one of them
a.yaml:15:22: spec.targets: `a` is already defined in a.yaml:7; leave one of them",
    );
    let policies = format!("{HEAD}spec: {{ policies: {{ timeouts: {{ t: 1s }} }} }}\n---\n");
    let target =
        format!("{HEAD}scopes: [a]\nspec: {{ targets: {{ apps: {{ a: {{ timeout: t }} }} }} }}\n");
    check("a.yaml", &format!("{policies}{target}"), "");
    let policies =
        format!("{HEAD}scopes: [b]\nspec: {{ policies: {{ timeouts: {{ t: 1s }} }} }}\n---\n");
    check(
        "a.yaml",
        &format!("{policies}{target}"),
        "a.yaml:11:42: spec.targets: `t` of `timeouts` is in a document that is not for all apps of this one; see `scopes`",
    );
}

#[test]
fn targets_that_are_not_there_are_errors() {
    let manifest = manifest("version: 1\nname: n\napps: [{ appID: cart, guest: a.wasm }]\n");
    let components = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: statestore }\nspec: { type: state.memory }\n---\n";
    let targets = "\
scopes: [cart, card]
spec:
  policies: { timeouts: { t: 1s } }
  targets:
    apps: { cart: { timeout: t }, carts: { timeout: t } }
    actors: { Anything: { timeout: t } }
    components:
      statestore: { outbound: { timeout: t }, inbound: { timeout: t } }
      statestor: { outbound: { timeout: t } }
";
    let resources = resources(&format!("{components}{HEAD}{targets}"));
    let problems = check_names(&manifest, &resources);
    let found: Vec<_> = problems.iter().map(Problem::to_string).collect();
    let expected = [
        "resources/a.yaml:9:16: warning: scopes: no app of this project is called `card`; did you mean `cart`?",
        "resources/a.yaml:13:35: spec.targets: no app of this project is called `carts`; did you mean `cart`?",
        "resources/a.yaml:16:7: spec.targets: `statestore` is a component of state, which delivers nothing: write `outbound`",
        "resources/a.yaml:17:7: spec.targets: no component is called `statestor`; did you mean `statestore`?",
    ];
    assert_eq!(found, expected);
}

#[test]
fn documents_of_any_size_are_bounded() {
    let many = |what: &str| -> String {
        (0..20_000)
            .map(|at| format!("      n{at}: {what}\n"))
            .collect()
    };
    let text = format!("{HEAD}spec:\n  targets:\n    apps:\n{}", many("{}"));
    check(
        "a.yaml",
        &text,
        "a.yaml:7:7: spec.targets.apps: has 20000 entries; at most 1000 are allowed in a document",
    );
    let text = format!("{HEAD}spec:\n  policies:\n    timeouts:\n{}", many("1s"));
    check(
        "a.yaml",
        &text,
        "a.yaml:7:7: spec.policies.timeouts: has 20000 entries; at most 1000 are allowed in a document",
    );
    let none = format!("{HEAD}spec: {{}}\n---\n").repeat(101);
    check(
        "a.yaml",
        &none,
        "a.yaml:501:1: kind: more than 100 documents of `Resiliency`; join them",
    );
    let scopes: String = (0..101).map(|at| format!("a{at},")).collect();
    let text = format!("{HEAD}scopes: [{scopes}]\nspec: {{}}\n");
    let (_, problems) = crate::parse_resources(&text, "a.yaml".as_ref());
    let text = problems.to_string();
    assert!(
        text.ends_with("scopes[100]: more than 100 apps; write none for all"),
        "{text}"
    );
}

#[test]
fn apps_that_have_policies_of_their_own_are_bounded() {
    let document = |from: usize| {
        let scopes: String = (from..from + 100).map(|at| format!("a{at},")).collect();
        format!("{HEAD}scopes: [{scopes}]\nspec: {{}}\n---\n")
    };
    let problems = |documents: &[usize]| {
        let text: String = documents.iter().map(|from| document(*from)).collect();
        let (read, problems) = crate::parse_resources(&text, "a.yaml".as_ref());
        let texts = problems.0.iter().map(ToString::to_string);
        let errors: Vec<_> = texts
            .filter(|text| text.contains("different apps"))
            .collect();
        (read.resiliencies.len(), errors.len())
    };
    // The same apps again are no more of them.
    assert_eq!(problems(&[0, 100, 50]), (3, 0));
    assert_eq!(problems(&[0, 100, 101]), (0, 1));
}

/// Each of 100 documents has 1,000 targets, and every one names what is not there.
#[test]
fn mistakes_of_many_documents_are_bounded() {
    let targets: String = (0..1_000)
        .map(|at| format!("      n{at}: {{ timeout: t{at} }}\n"))
        .collect();
    let texts: String = (0..16)
        .map(|at| format!("{HEAD}scopes: [a{at}]\nspec:\n  targets:\n    apps:\n{targets}---\n"))
        .collect();
    let (resources, problems) = crate::parse_resources(&texts, "a.yaml".as_ref());
    assert_eq!(resources.resiliencies.len(), 16);
    assert_eq!(problems.iter().count(), 100);
}
