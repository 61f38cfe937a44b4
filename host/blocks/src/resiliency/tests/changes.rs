//! Policies that change while calls are made, and breakers as operators see them.

use super::stage::{Answer, Stage, caller};
use crate::{Kind, resiliency::Reading, time::NEVER};
use std::time::Duration;

const BREAKER: &str =
    "circuitBreakers: { b: { maxRequests: 2, timeout: 30s, trip: consecutiveFailures >= 2 } }";

fn spec(policies: &str) -> String {
    format!(
        "spec: {{ policies: {{ {policies} }}, targets: {{ apps: {{ golden: {{ circuitBreaker: b }} }} }} }}"
    )
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_seen_and_says_for_how_long() {
    let stage = Stage::open(&spec(BREAKER)).await;
    stage.app.answers(&[Answer::Status(500)]);
    for _ in 0..2 {
        assert_eq!(stage.invoke("GET").await, Ok(500));
    }
    tokio::time::advance(Duration::from_secs(10)).await;
    let error = stage
        .ask(&caller("caller", NEVER), "GET")
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.message(), error.retry_after()),
        (
            Kind::Unavailable,
            "the circuit breaker `b` of app `golden` is open, for calls of it failed",
            Some(Duration::from_secs(20))
        )
    );
    let open = Reading {
        target: "app `golden`".into(),
        policy: "b".into(),
        app: None,
        actor: None,
        state: "open",
        failures: 0,
        open_for: Some(Duration::from_secs(20)),
    };
    assert_eq!(stage.tenant.resiliency.breakers(), [open]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_is_counted_by_its_state() {
    let stage = Stage::open(&spec(BREAKER)).await;
    stage.app.answers(&[Answer::Status(500)]);
    for _ in 0..2 {
        assert_eq!(stage.invoke("GET").await, Ok(500));
    }
    assert_eq!(stage.invoke("GET").await, Err(Kind::Unavailable));
    let labels = "tenant=\"t\",aim=\"app\",target=\"golden\"";
    let state = |state| {
        stage.metric(&format!(
            "wythe_resiliency_breakers{{{labels},state=\"{state}\"}}"
        ))
    };
    let to = |to| {
        stage.metric(&format!(
            "wythe_resiliency_breaker_transitions_total{{{labels},to=\"{to}\"}}"
        ))
    };
    assert_eq!(["closed", "half-open", "open"].map(state), [0, 0, 1]);
    assert_eq!(
        stage.metric(&format!(
            "wythe_resiliency_breaker_refused_total{{{labels}}}"
        )),
        1
    );
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(["closed", "half-open", "open"].map(state), [0, 1, 0]);
    stage.app.answers(&[Answer::Status(200)]);
    for _ in 0..2 {
        assert_eq!(stage.invoke("GET").await, Ok(200));
    }
    assert_eq!(["closed", "half-open", "open"].map(state), [1, 0, 0]);
    assert_eq!(["closed", "half-open", "open"].map(to), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn half_open_two_may_try_at_once_and_a_third_may_not() {
    let stage = Stage::open(&spec(BREAKER)).await;
    stage.app.answers(&[Answer::Status(500)]);
    for _ in 0..2 {
        assert_eq!(stage.invoke("GET").await, Ok(500));
    }
    tokio::time::advance(Duration::from_secs(30)).await;
    stage.app.answers(&[Answer::Slow(Duration::from_secs(1))]);
    let (one, two, three) = tokio::join!(
        biased;
        stage.invoke("GET"),
        stage.invoke("GET"),
        stage.invoke("GET"),
    );
    assert_eq!(
        (one, two, three),
        (Ok(200), Ok(200), Err(Kind::Unavailable))
    );
    assert_eq!(stage.tenant.resiliency.breakers()[0].state, "closed");
}

/// A caller that leaves while the breaker tries would otherwise leave it half open for ever.
#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_gives_its_attempt_back() {
    let stage = Stage::open(&spec(BREAKER)).await;
    stage.app.answers(&[Answer::Status(500)]);
    for _ in 0..2 {
        assert_eq!(stage.invoke("GET").await, Ok(500));
    }
    tokio::time::advance(Duration::from_secs(30)).await;
    stage.app.answers(&[Answer::Slow(Duration::from_secs(10))]);
    for _ in 0..5 {
        let asked = stage.invoke("GET");
        let left = tokio::time::timeout(Duration::from_secs(1), asked).await;
        assert!(left.is_err());
    }
    assert_eq!(stage.invoke("GET").await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_written_as_before_goes_on_as_it_is() {
    let stage = Stage::open(&spec(BREAKER)).await;
    stage.app.answers(&[Answer::Status(500)]);
    for _ in 0..2 {
        assert_eq!(stage.invoke("GET").await, Ok(500));
    }
    stage
        .change(&spec(&format!(
            "{BREAKER}, timeouts: {{ DefaultTimeoutPolicy: 1s }}"
        )))
        .await;
    assert_eq!(
        stage.invoke("GET").await,
        Err(Kind::Unavailable),
        "it is open still"
    );
    stage.change(&spec(&BREAKER.replace("30s", "40s"))).await;
    assert_eq!(stage.invoke("GET").await, Ok(500), "another breaker");
    stage.change("spec: {}").await;
    assert_eq!(stage.tenant.resiliency.breakers(), []);
    for _ in 0..5 {
        assert_eq!(stage.invoke("GET").await, Ok(500));
    }
    assert!(
        !stage.tenant.metrics.render().contains("wythe_resiliency"),
        "nothing is said of none"
    );
}

/// Documents of the largest size, over a tenant that has what they name.
#[tokio::test(start_paused = true)]
async fn many_documents_cost_a_call_no_more_than_one() {
    let timeouts: String = (0..1_000).map(|at| format!("t{at}: 1s, ")).collect();
    let targets: String = (0..1_000)
        .map(|at| format!("a{at}: {{ timeout: t{at} }}, "))
        .collect();
    let one = |scope: usize| {
        format!(
            "scopes: [s{scope}]\nspec: {{ policies: {{ timeouts: {{ {timeouts} }} }}, targets: {{ apps: {{ {targets} golden: {{ timeout: t1 }} }} }} }}"
        )
    };
    let one = |scope| one(scope).replace("a999: { timeout: t999 }, ", "");
    let documents: Vec<_> = (0..15).map(one).collect();
    let stage = Stage::open(&documents.join("\n---\n")).await;
    stage.app.answers(&[Answer::Slow(Duration::from_secs(5))]);
    let begin = tokio::time::Instant::now();
    assert_eq!(
        stage.invoke_as(&caller("s7", NEVER), "GET").await,
        Err(Kind::Timeout)
    );
    assert_eq!(begin.elapsed().as_secs(), 1);
    assert_eq!(
        stage.invoke_as(&caller("other", NEVER), "GET").await,
        Ok(200)
    );
}
