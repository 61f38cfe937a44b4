//! Dapr's table: the target before the default policies, the nearest of those first, and then what is built in.

use super::stage::{Answer, Stage, caller, name, policies};
use crate::{
    resiliency::core::plan::{Documents, Plan},
    time::NEVER,
};
use std::time::Duration;
use wythe_manifest::{Aim, BreakerScope};

fn plan(spec: &str, aim: Aim, name_of: &str, block: &str) -> Option<Plan> {
    Documents::new(&name("t"), &policies(spec)).plan(aim, name_of, block, None)
}

#[test]
fn the_nearest_default_holds_and_each_kind_is_found_alone() {
    let spec = "
spec:
  policies:
    timeouts:
      DefaultTimeoutPolicy: 1s
      DefaultComponentOutboundTimeoutPolicy: 2s
      DefaultStatestoreComponentOutboundTimeoutPolicy: 3s
      DefaultAppTimeoutPolicy: 4s
      DefaultActorTimeoutPolicy: 5s
      DefaultPubsubComponentInboundTimeoutPolicy: 6s
    retries: { DefaultRetryPolicy: { maxRetries: 7 } }
    circuitBreakers: { DefaultActorCircuitBreakerPolicy: {} }
";
    for (aim, block, seconds) in [
        (Aim::Outbound, "state", 3),
        (Aim::Outbound, "pubsub", 2),
        (Aim::Inbound, "pubsub", 6),
        (Aim::Inbound, "bindings", 1),
        (Aim::App, "", 4),
        (Aim::Actor, "", 5),
    ] {
        let plan = plan(spec, aim, "any", block).expect("a plan");
        assert_eq!(
            plan.timeout,
            Some(Duration::from_secs(seconds)),
            "{aim:?} {block}"
        );
        assert_eq!(plan.retry.expect("a retry").max_retries, Some(7));
        assert_eq!(plan.breaker.is_some(), aim == Aim::Actor);
    }
}

#[test]
fn a_target_beats_every_default_and_has_only_what_it_names() {
    let spec = "
spec:
  policies:
    timeouts: { DefaultTimeoutPolicy: 1s, t: 9s }
    retries: { DefaultRetryPolicy: { maxRetries: 7 }, DaprBuiltInActorRetries: { maxRetries: 9 } }
    circuitBreakers: { b: {} }
  targets:
    apps: { golden: { timeout: t } }
    actors: { Account: { circuitBreaker: b, circuitBreakerScope: id, circuitBreakerCacheSize: 7 } }
    components: { s: { outbound: { retry: DefaultRetryPolicy } } }
";
    let app = plan(spec, Aim::App, "golden", "").expect("a plan");
    assert_eq!(
        (app.timeout, app.retry),
        (Some(Duration::from_secs(9)), None)
    );
    let other = plan(spec, Aim::App, "other", "").expect("a plan");
    assert_eq!(other.timeout, Some(Duration::from_secs(1)));
    let actor = plan(spec, Aim::Actor, "Account", "").expect("a plan");
    assert_eq!((actor.timeout, actor.retry), (None, None));
    let breaker = actor.breaker.expect("a breaker");
    assert_eq!((breaker.scope, breaker.cache), (BreakerScope::Id, 7));
    let outbound = plan(spec, Aim::Outbound, "s", "state").expect("a plan");
    assert_eq!((outbound.timeout, outbound.retry.is_some()), (None, true));
    let inbound = plan(spec, Aim::Inbound, "s", "pubsub").expect("a plan");
    assert_eq!(
        inbound.timeout,
        Some(Duration::from_secs(1)),
        "directions are apart"
    );
    assert!(plan("spec: {}", Aim::App, "golden", "").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_built_in_retry_has_at_least_three_attempts_more_and_takes_what_was_not_done() {
    let spec = "spec: { policies: { retries: { DaprBuiltInServiceRetries: { duration: 1s, maxRetries: 1 } } } }";
    let stage = Stage::open(spec).await;
    stage
        .app
        .answers(&[Answer::Error(crate::Kind::Unavailable)]);
    assert!(stage.invoke("POST").await.is_err());
    assert_eq!(stage.app.calls(), 4);
    // An answer is no failure of the way to the app.
    stage.app.answers(&[Answer::Status(503)]);
    assert_eq!(stage.invoke("GET").await, Ok(503));
    assert_eq!(stage.app.calls(), 1);
    let more = spec.replace("maxRetries: 1", "maxRetries: 5");
    stage.change(&more).await;
    stage
        .app
        .answers(&[Answer::Error(crate::Kind::Unavailable)]);
    assert!(stage.invoke("POST").await.is_err());
    assert_eq!(stage.app.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_document_with_scopes_is_for_calls_by_its_apps() {
    let policy = "spec: { policies: { retries: { NAME: { policy: constant, duration: 100ms, maxRetries: 2 } } }, \
                  targets: { apps: { golden: { retry: NAME } } } }";
    let stage = Stage::open(&format!(
        "scopes: [one]\n{}\n---\nscopes: [two]\n{}",
        policy.replace("NAME", "r"),
        policy
            .replace("NAME", "r")
            .replace("maxRetries: 2", "maxRetries: 0"),
    ))
    .await;
    stage.app.answers(&[Answer::Status(500)]);
    for (app, calls) in [("one", 3), ("two", 1), ("three", 1)] {
        let caller = caller(app, NEVER);
        assert_eq!(stage.invoke_as(&caller, "GET").await, Ok(500));
        assert_eq!(stage.app.calls(), calls, "{app}");
    }
}
