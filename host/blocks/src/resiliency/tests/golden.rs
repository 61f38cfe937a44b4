//! The cases of a real daprd that can be replayed in one process: how often an app was called, when, and what its caller
//! had of it.

use super::stage::{Answer, Stage};
use crate::Kind;
use std::time::Duration;

/// The part of a pause of 200 ms that is by chance, and a millisecond for the timer.
const JITTER: Duration = Duration::from_millis(21);
const RETRY: &str = "retries: { r: { policy: constant, duration: 200ms, maxRetries: 3 } }";
const BREAKER: &str =
    "circuitBreakers: { b: { maxRequests: 1, timeout: 2s, trip: consecutiveFailures >= 3 } }";

fn of_app(policies: &str, target: &str) -> String {
    format!(
        "spec: {{ policies: {{ {policies} }}, targets: {{ apps: {{ golden: {{ {target} }} }} }} }}"
    )
}

fn retried() -> String {
    of_app(RETRY, "retry: r")
}

#[tokio::test(start_paused = true)]
async fn every_failing_status_is_tried_again() {
    let stage = Stage::open(&retried()).await;
    for (status, calls) in [
        (200, 1),
        (400, 4),
        (404, 4),
        (408, 4),
        (409, 4),
        (429, 4),
        (500, 4),
        (501, 4),
        (502, 4),
        (503, 4),
        (504, 4),
    ] {
        stage.app.answers(&[Answer::Status(status)]);
        // The reserve of the budget comes back.
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(stage.invoke("GET").await, Ok(status));
        let expected = [0, 200, 400, 600];
        assert_eq!(stage.app.offsets(), expected[..calls], "{status}");
        stage.app.calls();
    }
}

/// Dapr tries a `POST` again whatever its status is; here only where the app did nothing.
#[tokio::test(start_paused = true)]
async fn every_method_is_tried_again_after_503() {
    let stage = Stage::open(&retried()).await;
    for (method, status, calls) in [
        ("POST", 503, 4),
        ("PUT", 503, 4),
        ("DELETE", 503, 4),
        ("PUT", 500, 4),
        ("POST", 500, 1),
    ] {
        stage.app.answers(&[Answer::Status(status)]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(stage.invoke(method).await, Ok(status));
        assert_eq!(stage.app.calls(), calls, "{method} {status}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_right_is_answered() {
    let stage = Stage::open(&retried()).await;
    stage
        .app
        .answers(&[Answer::Status(503), Answer::Status(200)]);
    assert_eq!(stage.invoke("POST").await, Ok(200));
    assert_eq!(stage.app.offsets(), [0, 200]);
}

#[tokio::test(start_paused = true)]
async fn without_a_policy_nothing_is_tried_again() {
    let stage = Stage::open("spec: {}").await;
    stage.app.answers(&[Answer::Status(503)]);
    assert_eq!(stage.invoke("GET").await, Ok(503));
    assert_eq!(stage.app.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_ends_each_attempt() {
    let timeout = "timeouts: { t: 500ms }";
    let stage = Stage::open(&of_app(timeout, "timeout: t")).await;
    stage.app.answers(&[Answer::Slow(Duration::from_secs(20))]);
    let begin = tokio::time::Instant::now();
    assert_eq!(stage.invoke("GET").await, Err(Kind::Timeout));
    assert_eq!(begin.elapsed().as_millis(), 500);
    assert_eq!(stage.app.calls(), 1);
    stage
        .change(&of_app(
            &format!("{timeout}, {RETRY}"),
            "timeout: t, retry: r",
        ))
        .await;
    let begin = tokio::time::Instant::now();
    assert_eq!(stage.invoke("GET").await, Err(Kind::Timeout));
    assert_eq!(stage.app.offsets(), [0, 700, 1_400, 2_100]);
    assert!(begin.elapsed().abs_diff(Duration::from_millis(2_600)) <= JITTER * 3);
    let timeouts = "wythe_resiliency_timeouts_total{tenant=\"t\",aim=\"app\",target=\"golden\"}";
    assert_eq!(stage.metric(timeouts), 5);
}

#[tokio::test(start_paused = true)]
async fn exponential_pauses_grow() {
    let policy = "retries: { r: { policy: exponential, maxInterval: 1s, maxRetries: 4 } }";
    let stage = Stage::open(&of_app(policy, "retry: r")).await;
    stage.app.answers(&[Answer::Status(500)]);
    assert_eq!(stage.invoke("GET").await, Ok(500));
    let offsets = stage.app.offsets();
    let bounds = [
        (0, 0),
        (200, 800),
        (600, 1_900),
        (1_200, 3_400),
        (1_700, 5_000),
    ];
    assert_eq!(offsets.len(), bounds.len());
    for (offset, (low, high)) in offsets.into_iter().zip(bounds) {
        assert!(
            (low..=high).contains(&offset),
            "{offset} of {low} to {high}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn matching_says_which_codes() {
    for (matching, calls) in [
        ("httpStatusCodes: \"429,501-503\"", 4),
        ("httpStatusCodes: \"500\"", 1),
        ("gRPCStatusCodes: \"1-3\"", 4),
    ] {
        let retry = RETRY.replace(
            "maxRetries: 3",
            &format!("maxRetries: 3, matching: {{ {matching} }}"),
        );
        let stage = Stage::open(&of_app(&retry, "retry: r")).await;
        stage.app.answers(&[Answer::Status(503)]);
        assert_eq!(stage.invoke("GET").await, Ok(503));
        assert_eq!(stage.app.calls(), calls, "{matching}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_after_three_failures_and_404_is_one() {
    for status in [500, 404] {
        let stage = Stage::open(&of_app(BREAKER, "circuitBreaker: b")).await;
        stage.app.answers(&[Answer::Status(status)]);
        for _ in 0..3 {
            assert_eq!(stage.invoke("GET").await, Ok(status));
        }
        for _ in 0..3 {
            assert_eq!(stage.invoke("GET").await, Err(Kind::Unavailable));
        }
        assert_eq!(stage.app.calls(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_ends_the_retries() {
    let policies = format!("{BREAKER}, {RETRY}");
    let stage = Stage::open(&of_app(&policies, "circuitBreaker: b, retry: r")).await;
    stage.app.answers(&[Answer::Status(500)]);
    let begin = tokio::time::Instant::now();
    assert_eq!(stage.invoke("GET").await, Err(Kind::Unavailable));
    assert!(begin.elapsed().abs_diff(Duration::from_millis(600)) <= JITTER * 3);
    assert_eq!(stage.app.offsets(), [0, 200, 400]);
    for _ in 0..2 {
        assert_eq!(stage.invoke("GET").await, Err(Kind::Unavailable));
    }
    assert_eq!(stage.app.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn default_policies_hold_without_a_target() {
    for policy in ["DefaultAppRetryPolicy", "DefaultRetryPolicy"] {
        let retries = format!(
            "retries: {{ {policy}: {{ policy: constant, duration: 100ms, maxRetries: 2 }} }}"
        );
        let stage = Stage::open(&format!("spec: {{ policies: {{ {retries} }} }}")).await;
        stage.app.answers(&[Answer::Status(500)]);
        assert_eq!(stage.invoke("GET").await, Ok(500));
        assert_eq!(stage.app.offsets(), [0, 100, 200], "{policy}");
    }
}

fn of_binding(policies: &str, target: &str) -> String {
    let target = format!("components: {{ web: {{ outbound: {{ {target} }} }} }}");
    format!("spec: {{ policies: {{ {policies} }}, targets: {{ {target} }} }}")
}

/// A connection that is refused is `unavailable`.
#[tokio::test(start_paused = true)]
async fn a_binding_that_is_not_there_is_tried_again_and_trips() {
    let stage = Stage::open(&of_binding(RETRY, "retry: r")).await;
    stage.driver.answers(&[Answer::Error(Kind::Unavailable)]);
    assert_eq!(stage.write().await, Err(Kind::Unavailable));
    assert_eq!(stage.driver.offsets(), [0, 200, 400, 600]);
    stage.driver.calls();
    stage
        .change(&of_binding(BREAKER, "circuitBreaker: b"))
        .await;
    for _ in 0..5 {
        assert_eq!(stage.write().await, Err(Kind::Unavailable));
    }
    assert_eq!(
        stage.driver.calls(),
        3,
        "a target that is named has no built-in retries"
    );
}
