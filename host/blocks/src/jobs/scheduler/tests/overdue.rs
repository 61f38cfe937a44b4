//! The metric of jobs that are due and have not begun.

use super::*;

const ROW: &str = "wythe_jobs_overdue{tenant=\"tenant\",app=\"app\"} ";

#[tokio::test(start_paused = true)]
async fn what_is_due_and_has_not_begun_is_overdue() {
    let stage = Stage::open().await;
    assert!(
        !stage.overdue().await.contains("overdue"),
        "no app has jobs"
    );
    stage.attach();
    stage.takes(Duration::from_secs(60));
    for number in 0..IN_APP + 6 {
        let once = job(&format!("job{number}"), Trigger::Once(START + 1_000));
        stage.schedule(once).await;
    }
    stage.until(START + 900).await;
    assert!(stage.overdue().await.contains(&format!("{ROW}0\n")));
    stage.until(START + 30_000).await;
    let text = stage.overdue().await;
    assert!(
        text.contains(&format!("{ROW}6\n")),
        "the others run: {text}"
    );
    stage.until(START + 70_000).await;
    assert_eq!(stage.ran().len(), IN_APP + 6);
    assert!(stage.overdue().await.contains(&format!("{ROW}0\n")));
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_cannot_say_what_is_overdue_has_no_row() {
    let stage = Stage::open().await;
    stage.attach();
    assert!(stage.overdue().await.contains(ROW));
    stage.says_nothing();
    assert_eq!(stage.overdue().await, "");
}
