//! Components under policies: what is done once, and what may be done twice.

use super::stage::{Answer, Stage};
use crate::Kind;
use std::time::Duration;

const RETRY: &str = "policy: constant, duration: 200ms, maxRetries: 3";

fn both(retry: &str) -> String {
    format!(
        "spec: {{ policies: {{ timeouts: {{ t: 1s }}, retries: {{ r: {{ {retry} }} }} }}, targets: {{ components: {{ \
         web: {{ outbound: {{ timeout: t, retry: r }} }}, vault: {{ outbound: {{ timeout: t, retry: r }} }} }} }} }}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_write_of_unknown_outcome_is_not_tried_again_unless_the_policy_names_it() {
    let slow = [Answer::Slow(Duration::from_secs(20))];
    let stage = Stage::open(&both(RETRY)).await;
    stage.driver.answers(&slow);
    assert_eq!(stage.write().await, Err(Kind::UnknownOutcome));
    assert_eq!(stage.driver.calls(), 1);
    assert_eq!(stage.read().await, Err(Kind::Timeout));
    assert_eq!(stage.driver.calls(), 4, "a read may happen twice");
    // The code of gRPC for an unknown error is what an unknown outcome is.
    stage
        .change(&both(&format!(
            "{RETRY}, matching: {{ gRPCStatusCodes: \"2\" }}"
        )))
        .await;
    assert_eq!(stage.write().await, Err(Kind::UnknownOutcome));
    assert_eq!(stage.driver.calls(), 4);
    stage
        .change(&both(&format!(
            "{RETRY}, matching: {{ httpStatusCodes: \"503\" }}"
        )))
        .await;
    assert_eq!(stage.write().await, Err(Kind::UnknownOutcome));
    assert_eq!(stage.driver.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_does_not_hide_that_an_earlier_attempt_may_have_happened() {
    let named = format!("{RETRY}, matching: {{ gRPCStatusCodes: \"2\" }}");
    let stage = Stage::open(&both(&named)).await;
    let slow = Answer::Slow(Duration::from_secs(20));
    // The first attempt was kept, and the second meets what it wrote.
    stage.driver.answers(&[slow, Answer::Error(Kind::Conflict)]);
    assert_eq!(stage.write().await, Err(Kind::UnknownOutcome));
    assert_eq!(stage.driver.calls(), 2);
    stage.driver.answers(&[slow, Answer::Status(200)]);
    assert_eq!(stage.write().await, Ok(()));
    // What may happen twice has the last answer.
    stage.driver.answers(&[
        Answer::Error(Kind::UnknownOutcome),
        Answer::Error(Kind::Denied),
    ]);
    assert_eq!(stage.read().await, Err(Kind::Denied));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_opens_between_attempts_leaves_the_answer_of_the_one_that_was_made() {
    let breaker = "circuitBreakers: { b: { trip: totalFailures >= 1 } }";
    let policies = format!("{breaker}, retries: {{ r: {{ {RETRY} }} }}");
    let stage = Stage::open(&format!(
        "spec: {{ policies: {{ {policies} }}, targets: {{ components: {{ web: {{ outbound: {{ retry: r, circuitBreaker: b }} }} }} }} }}"
    ))
    .await;
    stage.driver.answers(&[Answer::Error(Kind::Exhausted)]);
    assert_eq!(stage.write().await, Err(Kind::Exhausted));
    assert_eq!(stage.driver.calls(), 1);
    assert_eq!(stage.write().await, Err(Kind::Unavailable));
}

#[tokio::test(start_paused = true)]
async fn what_is_the_callers_mistake_is_neither_tried_again_nor_counted() {
    let breaker = "circuitBreakers: { b: { trip: totalFailures >= 1 } }";
    let policies = format!("{breaker}, retries: {{ r: {{ {RETRY} }} }}");
    let stage = Stage::open(&format!(
        "spec: {{ policies: {{ {policies} }}, targets: {{ components: {{ web: {{ outbound: {{ retry: r, circuitBreaker: b }} }} }} }} }}"
    ))
    .await;
    for kind in [
        Kind::Conflict,
        Kind::Invalid,
        Kind::Denied,
        Kind::NotFound,
        Kind::Unsupported,
    ] {
        stage.driver.answers(&[Answer::Error(kind)]);
        assert_eq!(stage.write().await, Err(kind));
    }
    assert_eq!(stage.driver.calls(), 5);
    stage.driver.answers(&[Answer::Error(Kind::Internal)]);
    assert_eq!(stage.write().await, Err(Kind::Internal));
    assert_eq!(stage.write().await, Err(Kind::Unavailable));
    assert_eq!(stage.driver.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_default_timeout_leaves_the_built_in_retries_as_they_are() {
    let stage = Stage::open("spec: { policies: { timeouts: { DefaultTimeoutPolicy: 1s } } }").await;
    stage.driver.answers(&[Answer::Error(Kind::Unavailable)]);
    assert_eq!(stage.write().await, Err(Kind::Unavailable));
    assert_eq!(stage.driver.calls(), 4);
    stage
        .driver
        .answers(&[Answer::Slow(Duration::from_secs(20))]);
    let begin = tokio::time::Instant::now();
    assert_eq!(stage.write().await, Err(Kind::UnknownOutcome));
    assert_eq!(begin.elapsed().as_secs(), 1);
    assert_eq!(stage.driver.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_target_without_a_timeout_has_the_time_that_is_built_in() {
    let stage = Stage::open(&both(RETRY).replace("timeout: t, ", "")).await;
    stage
        .driver
        .answers(&[Answer::Slow(Duration::from_secs(20))]);
    let begin = tokio::time::Instant::now();
    assert_eq!(stage.write().await, Err(Kind::UnknownOutcome));
    assert_eq!(begin.elapsed().as_secs(), 10);
}
