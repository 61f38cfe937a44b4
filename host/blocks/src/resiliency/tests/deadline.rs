//! Deadlines: attempts start before that of their caller, and each knows how long it has.

use super::stage::{Answer, Stage, caller};
use crate::{Kind, body_from, time};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn no_attempt_starts_after_the_deadline() {
    let stage = Stage::open(
        "spec: { policies: { retries: { r: { policy: constant, duration: 1s } } }, \
         targets: { apps: { golden: { retry: r } } } }",
    )
    .await;
    stage.app.answers(&[Answer::Status(503)]);
    let begin = tokio::time::Instant::now();
    let caller = caller("caller", Duration::from_millis(3_500));
    assert_eq!(stage.invoke_as(&caller, "GET").await, Ok(503));
    assert!(begin.elapsed() < Duration::from_millis(3_500));
    let calls = stage.app.calls();
    assert!((4..=5).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_the_timeout_as_its_deadline_and_never_more_than_its_caller() {
    let stage = Stage::open(
        "spec: { policies: { timeouts: { t: 2s }, retries: { r: { policy: constant, duration: 1s } } }, \
         targets: { apps: { golden: { timeout: t, retry: r } } } }",
    )
    .await;
    stage.app.answers(&[Answer::Slow(Duration::from_secs(60))]);
    let begin = tokio::time::Instant::now().into_std();
    let caller = caller("caller", Duration::from_secs(4));
    assert_eq!(stage.invoke_as(&caller, "GET").await, Err(Kind::Timeout));
    let deadlines = stage.app.asked().into_iter().map(|call| call.deadline());
    let tenths = deadlines.map(|deadline| (deadline.duration_since(begin).as_millis() + 50) / 100);
    assert_eq!(tenths.collect::<Vec<_>>(), [20, 40]);
}

#[tokio::test(start_paused = true)]
async fn a_request_with_a_body_is_sent_once_and_cut_off_in_time() {
    let stage = Stage::open(
        "spec: { policies: { timeouts: { t: 2s }, retries: { r: { policy: constant, duration: 1s, maxRetries: 2 } } }, \
         targets: { apps: { golden: { timeout: t, retry: r } } } }",
    )
    .await;
    let caller = caller("caller", Duration::from_secs(60));
    let send = async |body: &'static str| {
        let request = http::Request::new(body_from(body));
        let answer = stage
            .tenant
            .invocation
            .http(&caller, "golden", request)
            .await;
        answer
            .map(|answer| answer.status().as_u16())
            .map_err(|error| error.kind())
    };
    stage.app.answers(&[Answer::Status(503)]);
    assert_eq!(send("").await, Ok(503));
    assert_eq!(stage.app.calls(), 3);
    assert_eq!(send("body").await, Ok(503));
    assert_eq!(stage.app.calls(), 1);
    stage.app.answers(&[Answer::Slow(Duration::from_secs(60))]);
    assert_eq!(send("body").await, Err(Kind::Timeout));
}

/// The timeout is for the beginning of an answer: what streams then goes on as without a policy.
#[tokio::test(start_paused = true)]
async fn an_answer_that_began_has_the_time_of_its_caller() {
    let stage = Stage::open(
        "spec: { policies: { timeouts: { t: 2s } }, targets: { apps: { golden: { timeout: t } } } }",
    )
    .await;
    let begin = tokio::time::Instant::now().into_std();
    let caller = caller("caller", Duration::from_secs(60));
    let request = http::Request::new(body_from(""));
    let answer = stage
        .tenant
        .invocation
        .http(&caller, "golden", request)
        .await;
    assert!(answer.is_ok());
    let call = stage.app.asked().pop().expect("a call");
    let left = |call: &crate::Call| call.deadline().duration_since(begin).as_secs();
    assert_eq!(left(&call), 2);
    // As the runtime does once the answer has begun.
    call.prolong(time::deadline(Duration::from_secs(50)));
    assert_eq!(left(&call), 50);
}
