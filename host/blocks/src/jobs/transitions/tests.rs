//! The next occurrence after success, failure, downtime and pause, under each policy.

use super::*;
use crate::jobs::{Job, Trigger};

const NOW: Timestamp = 1_000_000;

fn row(misfire: Misfire) -> Row {
    let job = Job {
        name: "tick".into(),
        trigger: Trigger::Every(Duration::from_millis(100)),
        start: None,
        end: None,
        repeats: None,
        data: "data".into(),
        on_failure: FailurePolicy::Drop,
        on_misfire: misfire,
    };
    Row {
        app: "app".into(),
        job,
        incarnation: 0xab,
        version: 7,
        due: Some(NOW),
        wake: Some(NOW),
        attempts: 0,
        paused: false,
        occurrences: 0,
        failure: None,
    }
}

/// Due time, wake, and how many are done with.
type State = (Option<Timestamp>, Option<Timestamp>, u64);

fn state(row: Option<Row>) -> Option<State> {
    row.map(|row| (row.due, row.wake, row.occurrences))
}

fn at(due: Timestamp, wake: Timestamp, done: u64) -> Option<State> {
    Some((Some(due), Some(wake), done))
}

#[test]
fn an_id_names_job_incarnation_and_time() {
    assert_eq!(id(&row(Misfire::One)), "tick/00000000000000ab/1000000");
}

#[test]
fn the_grid_does_not_drift() {
    for misfire in [Misfire::One, Misfire::All, Misfire::Skip] {
        let done = apply(&row(misfire), &Outcome::Done, NOW + 60);
        assert_eq!(state(done), at(NOW + 100, NOW + 100, 1), "{misfire:?}");
    }
}

#[test]
fn what_came_due_while_one_ran_follows_the_policy() {
    let done = |misfire| state(apply(&row(misfire), &Outcome::Done, NOW + 350));
    assert_eq!(
        done(Misfire::One),
        at(NOW + 300, NOW + 350, 1),
        "as one, at once"
    );
    assert_eq!(
        done(Misfire::All),
        at(NOW + 100, NOW + 100, 1),
        "one after the other"
    );
    assert_eq!(done(Misfire::Skip), at(NOW + 400, NOW + 400, 1), "left out");
}

#[test]
fn what_came_due_in_a_downtime_follows_the_policy() {
    let (since, now) = (NOW + 10_000, NOW + 10_050);
    let missed = |misfire| is_missed(&row(misfire), since, now);
    let caught_up = |misfire| state(apply(&row(misfire), &Outcome::Missed, now));
    assert!(missed(Misfire::One));
    assert_eq!(
        caught_up(Misfire::One),
        at(NOW + 10_000, now, 0),
        "as one, at once"
    );
    assert!(!missed(Misfire::All), "each of them runs");
    assert!(missed(Misfire::Skip));
    assert_eq!(
        caught_up(Misfire::Skip),
        at(NOW + 10_100, NOW + 10_100, 0),
        "left out"
    );
}

#[test]
fn a_single_one_that_was_missed_comes_as_itself() {
    assert!(!is_missed(&row(Misfire::One), NOW + 50, NOW + 99));
    assert!(is_missed(&row(Misfire::Skip), NOW + 50, NOW + 99));
    assert!(
        !is_missed(&row(Misfire::Skip), NOW, NOW + 99),
        "a host ran when it came due"
    );
}

#[test]
fn a_retry_is_no_misfire() {
    let tried = Row {
        attempts: 1,
        ..row(Misfire::Skip)
    };
    assert!(!is_missed(&tried, NOW + 50, NOW + 99));
}

#[test]
fn a_time_that_was_missed_and_is_to_be_skipped_ends_the_job() {
    let mut once = row(Misfire::Skip);
    once.job.trigger = Trigger::Once(NOW);
    assert!(is_missed(&once, NOW + 1, NOW + 1));
    assert_eq!(apply(&once, &Outcome::Missed, NOW + 1), None);
    once.job.on_misfire = Misfire::One;
    assert!(!is_missed(&once, NOW + 1, NOW + 1));
    assert_eq!(apply(&once, &Outcome::Done, NOW + 1), None);
}

#[test]
fn repeats_and_end_are_the_last() {
    let mut row = row(Misfire::All);
    row.job.repeats = Some(2);
    let first = apply(&row, &Outcome::Done, NOW).unwrap();
    assert_eq!(apply(&first, &Outcome::Done, NOW + 100), None);
    row.job.repeats = None;
    row.job.end = Some(NOW + 100);
    let first = apply(&row, &Outcome::Done, NOW).unwrap();
    assert_eq!(first.due, Some(NOW + 100), "at the end is not after it");
    assert_eq!(apply(&first, &Outcome::Done, NOW + 100), None);
}

#[test]
fn a_misfire_is_not_after_the_end() {
    let mut row = row(Misfire::One);
    row.job.end = Some(NOW + 250);
    let done = apply(&row, &Outcome::Done, NOW + 1_000);
    assert_eq!(state(done.clone()), at(NOW + 200, NOW + 1_000, 1));
    assert_eq!(apply(&done.unwrap(), &Outcome::Done, NOW + 1_000), None);
    row.job.end = Some(NOW + 50);
    assert_eq!(apply(&row, &Outcome::Done, NOW + 1_000), None);
    row.job.end = Some(NOW + 250);
    let missed = apply(&row, &Outcome::Missed, NOW + 1_000);
    assert_eq!(state(missed), at(NOW + 200, NOW + 1_000, 0));
}

#[test]
fn a_failure_is_tried_so_often() {
    let mut row = row(Misfire::All);
    row.job.on_failure = FailurePolicy::Retry {
        interval: Duration::from_millis(30),
        max_retries: Some(2),
    };
    let fail = |row: &Row, now| apply(row, &Outcome::Failed("boom".into()), now).unwrap();
    let first = fail(&row, NOW + 1);
    assert_eq!(
        (first.attempts, first.due, first.wake),
        (1, row.due, Some(NOW + 31))
    );
    assert_eq!(id(&first), id(&row));
    let second = fail(&first, NOW + 32);
    assert_eq!((second.attempts, second.wake), (2, Some(NOW + 62)));
    let third = fail(&second, NOW + 63);
    assert_eq!(
        (third.attempts, third.due, third.occurrences),
        (0, Some(NOW + 100), 1)
    );
    assert_eq!(third.failure.as_deref(), Some("boom"));
    let good = apply(&third, &Outcome::Done, NOW + 101).unwrap();
    assert_eq!((good.failure, good.occurrences), (None, 2));
}

#[test]
fn without_a_number_it_is_tried_until_it_succeeds() {
    let mut row = row(Misfire::One);
    row.job.on_failure = FailurePolicy::Retry {
        interval: Duration::from_millis(30),
        max_retries: None,
    };
    row.attempts = u32::MAX;
    let failed = apply(&row, &Outcome::Failed("boom".into()), NOW + 1).unwrap();
    assert_eq!((failed.due, failed.wake), (row.due, Some(NOW + 31)));
}

#[test]
fn a_dropped_failure_is_done_with() {
    let long = "ä".repeat(600);
    let failed = apply(&row(Misfire::One), &Outcome::Failed(long), NOW + 1).unwrap();
    assert_eq!((failed.due, failed.occurrences), (Some(NOW + 100), 1));
    assert_eq!(failed.failure.unwrap(), "ä".repeat(512));
}

#[test]
fn what_could_not_begin_is_no_attempt() {
    let later = Outcome::NotBegun(Duration::from_secs(1));
    let row = apply(&row(Misfire::One), &later, NOW + 1).unwrap();
    assert_eq!(
        (row.attempts, row.due, row.wake),
        (0, Some(NOW), Some(NOW + 1_001))
    );
}

#[test]
fn a_pause_is_a_misfire_for_what_comes_meanwhile() {
    let resume = |misfire, now| state(resumed(&paused(&row(misfire)), now, false).unwrap());
    assert_eq!(
        resume(Misfire::One, NOW - 1),
        at(NOW, NOW, 0),
        "nothing came meanwhile"
    );
    assert_eq!(resume(Misfire::One, NOW + 350), at(NOW + 300, NOW + 350, 0));
    assert_eq!(resume(Misfire::All, NOW + 350), at(NOW, NOW + 350, 0));
    assert_eq!(
        resume(Misfire::Skip, NOW + 350),
        at(NOW + 400, NOW + 400, 0)
    );
}

#[test]
fn one_that_runs_through_a_pause_is_counted() {
    let paused = paused(&row(Misfire::Skip));
    assert_eq!((paused.wake, paused.paused), (None, true));
    let done = apply(&paused, &Outcome::Done, NOW + 50).unwrap();
    assert_eq!(
        (done.due, done.wake, done.occurrences),
        (Some(NOW + 100), None, 1)
    );
    let still = resumed(&paused, NOW + 350, true).unwrap().unwrap();
    assert!(is_same(&still, &paused));
}

#[test]
fn each_write_has_another_version() {
    let row = row(Misfire::One);
    for outcome in [
        Outcome::Done,
        Outcome::Missed,
        Outcome::NotBegun(Duration::ZERO),
    ] {
        assert_ne!(apply(&row, &outcome, NOW).unwrap().version, row.version);
    }
    assert_ne!(paused(&row).version, row.version);
}

#[test]
fn a_schedule_that_this_build_cannot_read_stands_still_and_says_why() {
    let mut row = row(Misfire::One);
    row.job.trigger = Trigger::Cron {
        expression: "@daily".into(),
        time_zone: Some("Moon/Tranquility".into()),
    };
    let done = apply(&row, &Outcome::Done, NOW).unwrap();
    assert!(done.paused && done.wake.is_none());
    assert!(
        done.failure
            .unwrap()
            .starts_with("there is no time zone `Moon/Tranquility`")
    );
    assert!(resumed(&row, NOW, false).is_err());
}
