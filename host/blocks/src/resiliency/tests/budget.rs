//! The budget: a target that fails is asked a tenth more than one that works.

use super::stage::{Answer, Stage};

#[tokio::test(start_paused = true)]
async fn retries_add_a_tenth_to_the_load() {
    let stage = Stage::open(
        "spec: { policies: { retries: { r: { policy: constant, duration: 1ms, maxRetries: 3 } } }, \
         targets: { apps: { golden: { retry: r } } } }",
    )
    .await;
    stage.app.answers(&[Answer::Status(503)]);
    let begin = tokio::time::Instant::now();
    for _ in 0..2_000 {
        assert_eq!(stage.invoke("GET").await, Ok(503));
    }
    // The reserve is ten, and one comes back in each second.
    let reserve = 10 + begin.elapsed().as_secs() as usize;
    let calls = stage.app.calls();
    assert!(
        (2_200..=2_200 + reserve).contains(&calls),
        "{calls} calls, {reserve} in reserve"
    );
    let labels = "{tenant=\"t\",aim=\"app\",target=\"golden\"}";
    let retries = stage.metric(&format!("wythe_resiliency_retries_total{labels}"));
    assert_eq!(retries as usize, calls - 2_000);
    let refused = stage.metric(&format!("wythe_resiliency_budget_refused_total{labels}"));
    assert!(refused > 1_000, "{refused}");
}
