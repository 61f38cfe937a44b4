//! The loop under a clock that tests set: due times, clock jumps, misfires, overlaps, bounds and the stop.

mod overdue;
mod stage;

use super::super::{FailurePolicy, Misfire, Trigger};
use super::IN_APP;
use crate::Kind;
use stage::{START, Stage, job};
use std::time::Duration;
use wythe_manifest::{Metered, Quotas};

const SECOND: u64 = 1_000;

fn every(name: &str, milliseconds: u64) -> super::super::Job {
    job(name, Trigger::Every(Duration::from_millis(milliseconds)))
}

#[tokio::test(start_paused = true)]
async fn an_occurrence_comes_at_its_time_and_not_before() {
    let stage = Stage::open().await;
    stage.attach();
    let once = job("once", Trigger::Once(START + 1_500));
    stage.schedule(once).await;
    stage.until(START + 1_499).await;
    assert!(stage.ran().is_empty());
    stage.until(START + 1_510).await;
    let ran = stage.ran();
    assert_eq!(ran.len(), 1);
    assert_eq!(
        (ran[0].name.as_str(), ran[0].due, ran[0].attempt),
        ("once", START + 1_500, 1)
    );
    assert_eq!(stage.get("once").await, None, "it is over");
    stage.never_early();
}

#[tokio::test(start_paused = true)]
async fn a_schedule_keeps_its_grid() {
    let stage = Stage::open().await;
    stage.attach();
    stage.takes(Duration::from_millis(30));
    stage.schedule(every("tick", 100)).await;
    stage.until(START + 1_005).await;
    let dues: Vec<_> = stage.ran().iter().map(|ran| ran.due - START).collect();
    assert_eq!(dues, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000]);
    stage.never_early();
}

#[tokio::test(start_paused = true)]
async fn a_tenant_has_so_many_jobs_and_each_end_gives_a_place_back() {
    let stage = Stage::open().await;
    stage.ledger.set(Some(&Quotas::default()));
    let limit = Metered::Jobs.default_amount();
    let used = || stage.ledger.readings()[Metered::Jobs as usize].used;
    for number in 1..limit {
        stage
            .schedule(every(&format!("{number}"), 3_600 * SECOND))
            .await;
    }
    let once = job("once", Trigger::Once(START + 1_500));
    stage.schedule(once).await;
    let more = || every("more", 3_600 * SECOND);
    for overwrite in [false, true] {
        let full = stage.try_schedule(more(), overwrite).await.unwrap_err();
        assert_eq!(full.kind(), Kind::Exhausted);
        assert_eq!(
            full.message(),
            "tenant `tenant` uses all of `quotas.jobs`, which is 10000; delete some, see `wythe jobs list`, or let the operator raise it"
        );
        assert_eq!(stage.get("more").await, None);
    }
    // What replaces a job needs no place.
    stage.overwrite(every("1", 7_200 * SECOND)).await;
    assert_eq!(used(), limit);
    stage.attach();
    stage.until(START + 1_510).await;
    assert_eq!(stage.ran().len(), 1);
    assert_eq!(used(), limit - 1);
    stage.schedule(more()).await;
    assert!(
        stage
            .try_schedule(every("another", SECOND), false)
            .await
            .is_err()
    );
    stage.delete("more").await;
    stage.delete("more").await;
    assert_eq!(used(), limit - 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_makes_nothing_early() {
    let stage = Stage::open().await;
    stage.attach();
    stage.schedule(every("tick", 10 * SECOND)).await;
    stage.until(START + 9 * SECOND).await;
    stage.set(START - 3_600 * SECOND);
    stage.sleep(30 * SECOND).await;
    assert!(stage.ran().is_empty());
    stage.set(START + 10 * SECOND);
    stage.sleep(1_100).await;
    assert_eq!(stage.ran().len(), 1);
    stage.never_early();
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_is_noticed_within_a_second() {
    let stage = Stage::open().await;
    stage.attach();
    stage.schedule(every("one", 3_600 * SECOND)).await;
    let skipping = super::super::Job {
        on_misfire: Misfire::Skip,
        ..every("skip", 3_600 * SECOND)
    };
    stage.schedule(skipping).await;
    stage.sleep(SECOND).await;
    stage.set(START + 3 * 3_600 * SECOND + 5 * SECOND);
    stage.sleep(1_100).await;
    let ran = stage.ran();
    assert_eq!(
        ran.len(),
        1,
        "three were missed and come as one; the others are left out: {ran:?}"
    );
    assert_eq!(
        (ran[0].name.as_str(), ran[0].due),
        ("one", START + 3 * 3_600 * SECOND)
    );
    let next = stage.get("skip").await.unwrap().next;
    assert_eq!(next, Some(START + 4 * 3_600 * SECOND));
    stage.never_early();
}

/// Ten occurrences of each policy are missed; what then comes.
#[tokio::test(start_paused = true)]
async fn a_downtime_is_a_misfire() {
    let stage = Stage::open().await;
    for (name, on_misfire) in [
        ("all", Misfire::All),
        ("one", Misfire::One),
        ("skip", Misfire::Skip),
    ] {
        let job = super::super::Job {
            on_misfire,
            ..every(name, SECOND)
        };
        stage.schedule(job).await;
    }
    stage.sleep(10 * SECOND + 500).await;
    stage.attach();
    stage.sleep(100).await;
    let dues = |name: &str| -> Vec<u64> {
        let ran = stage.ran();
        let of = ran.iter().filter(|ran| ran.name == name);
        of.map(|ran| (ran.due - START) / SECOND).collect()
    };
    assert_eq!(dues("all"), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "in order");
    assert_eq!(dues("one"), [10]);
    assert!(dues("skip").is_empty());
    stage.until(START + 11 * SECOND + 10).await;
    assert_eq!(dues("all").last(), Some(&11));
    assert_eq!(dues("one"), [10, 11]);
    assert_eq!(dues("skip"), [11]);
}

#[tokio::test(start_paused = true)]
async fn one_job_runs_once_at_a_time() {
    let stage = Stage::open().await;
    stage.attach();
    stage.takes(Duration::from_millis(250));
    let job = super::super::Job {
        on_misfire: Misfire::All,
        ..every("tick", 100)
    };
    stage.schedule(job.clone()).await;
    stage.until(START + 150).await;
    // Scheduled anew while one runs, and long enough for a lease to be over.
    stage.overwrite(job).await;
    stage.sleep(90 * SECOND).await;
    assert_eq!(stage.peak(), 1);
    assert!(stage.ran().len() > 100);
}

#[tokio::test(start_paused = true)]
async fn a_run_longer_than_a_lease_is_not_doubled() {
    let stage = Stage::open().await;
    stage.attach();
    stage.takes(Duration::from_secs(200));
    stage.schedule(job("long", Trigger::Once(START))).await;
    stage.sleep(500 * SECOND).await;
    assert_eq!(stage.ran().len(), 1);
    assert_eq!(stage.get("long").await, None);
}

#[tokio::test(start_paused = true)]
async fn an_app_has_so_many_at_once() {
    let stage = Stage::open().await;
    stage.attach();
    stage.takes(Duration::from_millis(100));
    for number in 0..200 {
        stage
            .schedule(job(&format!("job{number}"), Trigger::Once(START)))
            .await;
    }
    stage.sleep(SECOND).await;
    assert_eq!(stage.ran().len(), 200);
    assert_eq!(stage.peak(), IN_APP);
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_its_id_and_counts_its_attempts() {
    let stage = Stage::open().await;
    stage.attach();
    stage.fails(2, Kind::Internal);
    let job = super::super::Job {
        on_failure: FailurePolicy::Retry {
            interval: Duration::from_millis(50),
            max_retries: Some(5),
        },
        ..every("tick", SECOND)
    };
    stage.schedule(job).await;
    stage.until(START + 1_500).await;
    let ran = stage.ran();
    let attempts: Vec<_> = ran.iter().map(|ran| ran.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert!(ran.iter().all(|again| again.id == ran[0].id));
    let status = stage.get("tick").await.unwrap();
    assert_eq!((status.occurrences, status.failure), (1, None));
}

#[tokio::test(start_paused = true)]
async fn a_busy_app_loses_no_attempt() {
    let stage = Stage::open().await;
    stage.attach();
    stage.fails(3, Kind::Exhausted);
    stage.schedule(job("once", Trigger::Once(START))).await;
    stage.sleep(4 * SECOND).await;
    let attempts: Vec<_> = stage.ran().iter().map(|ran| ran.attempt).collect();
    assert_eq!(attempts, [1, 1, 1, 1]);
    assert_eq!(stage.get("once").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_pause_in_the_midst_of_a_run_counts_it() {
    let stage = Stage::open().await;
    stage.attach();
    stage.takes(Duration::from_millis(100));
    stage.schedule(every("tick", SECOND)).await;
    stage.until(START + 1_050).await;
    stage.pause("tick").await;
    stage.until(START + 5_500).await;
    assert_eq!(stage.ran().len(), 1);
    let status = stage.get("tick").await.unwrap();
    assert_eq!(
        (status.paused, status.next, status.occurrences),
        (true, None, 1)
    );
    stage.resume("tick").await;
    stage.sleep(200).await;
    let dues: Vec<_> = stage.ran().iter().map(|ran| ran.due - START).collect();
    assert_eq!(
        dues,
        [SECOND, 5 * SECOND],
        "what came due meanwhile comes as one"
    );
    assert_eq!(
        stage.get("tick").await.unwrap().next,
        Some(START + 6 * SECOND)
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_deleted_while_it_runs_stays_deleted() {
    let stage = Stage::open().await;
    stage.attach();
    stage.takes(Duration::from_millis(100));
    stage.schedule(every("tick", SECOND)).await;
    stage.until(START + 1_050).await;
    stage.delete("tick").await;
    stage.sleep(5 * SECOND).await;
    assert_eq!(stage.ran().len(), 1);
    assert_eq!(stage.get("tick").await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_what_runs_and_writes_its_answer() {
    let stage = Stage::open().await;
    stage.attach();
    stage.takes(Duration::from_millis(300));
    stage.schedule(every("tick", SECOND)).await;
    stage.until(START + 1_050).await;
    assert!(stage.stop(Duration::from_secs(5)).await);
    assert_eq!(stage.ran().len(), 1);
    let status = stage.get("tick").await.unwrap();
    assert_eq!(
        (status.occurrences, status.next),
        (1, Some(START + 2 * SECOND))
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_run_is_a_failure() {
    let stage = Stage::open().await;
    stage.attach();
    stage.panics(1);
    stage.schedule(every("tick", SECOND)).await;
    stage.until(START + 1_100).await;
    let status = stage.get("tick").await.unwrap();
    assert_eq!(
        status.failure.as_deref(),
        Some("`job` of app `app` ended by a panic of the host")
    );
    stage.until(START + 2_100).await;
    assert_eq!(stage.get("tick").await.unwrap().failure, None);
}

#[tokio::test(start_paused = true)]
async fn many_answers_are_one_write() {
    let stage = Stage::open().await;
    stage.attach();
    for number in 0..IN_APP {
        stage
            .schedule(job(&format!("job{number}"), Trigger::Once(START)))
            .await;
    }
    stage.sleep(SECOND).await;
    assert_eq!(stage.ran().len(), IN_APP);
    assert!(stage.writes() <= IN_APP / 4, "{} writes", stage.writes());
}

#[tokio::test(start_paused = true)]
async fn a_name_is_taken_until_it_is_overwritten() {
    let stage = Stage::open().await;
    stage.attach();
    stage.schedule(every("tick", SECOND)).await;
    let error = stage
        .try_schedule(every("tick", 500), false)
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "app `app` has a job `tick` already; schedule with `overwrite` to start it anew"
    );
    stage.overwrite(every("tick", 500)).await;
    stage.until(START + 1_010).await;
    let ran = stage.ran();
    assert_eq!(ran.len(), 2);
    let incarnation = |id: &str| id.split('/').nth(1).map(str::to_owned);
    assert_eq!(incarnation(&ran[0].id), incarnation(&ran[1].id));
}

/// Rows that the app is never asked for: the loop takes them at intervals, whatever there is.
#[tokio::test(start_paused = true)]
async fn a_driver_that_always_has_more_does_not_keep_the_loop_busy() {
    for (wake, pause) in [(Some(1), 50), (None, SECOND), (Some(u64::MAX), SECOND)] {
        let stage = Stage::open().await;
        let skipped = super::super::Job {
            on_misfire: Misfire::Skip,
            ..every("tick", 3_600 * SECOND)
        };
        stage.schedule(skipped).await;
        stage.pretends(wake);
        stage.attach();
        stage.sleep(10 * SECOND).await;
        let (takes, max_retries) = (stage.takes_of_driver() as u64, 10 * SECOND / pause + 2);
        assert!(
            (2..=max_retries).contains(&takes),
            "{takes} takes of {wake:?}"
        );
        assert!(stage.ran().is_empty());
        assert!(stage.stop(Duration::from_secs(5)).await);
    }
}
