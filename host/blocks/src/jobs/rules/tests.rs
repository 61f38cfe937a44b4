//! Each thing that is wrong with a job, and the exact words for it.

use super::*;
use crate::jobs::Misfire;
use std::time::Duration;

const NOW: Timestamp = 1_700_000_000_000;

fn job(trigger: Trigger) -> Job {
    Job {
        name: "tick".into(),
        trigger,
        start: None,
        end: None,
        repeats: None,
        data: "data".into(),
        on_failure: FailurePolicy::Drop,
        on_misfire: Misfire::One,
    }
}

fn every() -> Job {
    job(Trigger::Every(Duration::from_secs(1)))
}

#[track_caller]
fn refused(job: Job, expected: &str) {
    assert_eq!(row("app", job, NOW).unwrap_err().message(), expected);
}

#[test]
fn a_name_is_plain() {
    let wrong = |name: &str| {
        format!(
            "the job name `{name}`; expected 1 to 256 bytes of letters, digits, `-`, `_`, `.` and `:`"
        )
    };
    for name in ["", "a/b", "a b", "ä", "a\n"] {
        let named = Job {
            name: name.into(),
            ..every()
        };
        refused(named, &wrong(name));
    }
    let long = "x".repeat(257);
    assert_eq!(
        check_name(&long).unwrap_err().message(),
        wrong(&format!("{}…", &long[..80]))
    );
    assert!(check_name(&long[..256]).is_ok());
    assert!(check_name("A-z_0.9:x").is_ok());
    assert!(check_prefix("").is_ok());
    assert_eq!(
        check_prefix("a*").unwrap_err().message(),
        "the prefix `a*`; expected at most 256 bytes of letters, digits, `-`, `_`, `.` and `:`"
    );
}

#[test]
fn a_page_has_bounds() {
    assert_eq!(check_limit(None).unwrap(), 100);
    for limit in [0, 1_001] {
        assert_eq!(
            check_limit(Some(limit)).unwrap_err().message(),
            format!("a page of {limit}; expected 1 to 1000")
        );
    }
}

#[test]
fn bounds_are_told() {
    let big = Job {
        data: vec![0; MAX_DATA + 1].into(),
        ..every()
    };
    refused(
        big,
        "the data of job `tick` has 65537 bytes; at most 65536 are allowed",
    );
    let none = Job {
        repeats: Some(0),
        ..every()
    };
    refused(
        none,
        "job `tick` has 0 repeats; expected at least 1, or none where there is no last one",
    );
    refused(
        job(Trigger::Every(Duration::ZERO)),
        "`every` of 0ns; expected at least 1 ms",
    );
    refused(
        job(Trigger::Every(Duration::from_micros(999))),
        "`every` of 999µs; expected at least 1 ms",
    );
    let hasty = Job {
        on_failure: FailurePolicy::Retry {
            interval: Duration::ZERO,
            max_retries: None,
        },
        ..every()
    };
    refused(
        hasty,
        "job `tick` retries after 0ns; expected at least 1 ms",
    );
    refused(
        job(Trigger::Once(LAST + 1)),
        "the time 253402300800000; expected milliseconds since 1970, before the year 10000",
    );
    refused(
        job(Trigger::Every(Duration::from_millis(LAST))),
        "job `tick` has no occurrence before the year 10000",
    );
}

#[test]
fn start_and_end_make_sense() {
    let reversed = Job {
        start: Some(NOW + 2_000),
        end: Some(NOW + 1_000),
        ..every()
    };
    refused(
        reversed,
        "job `tick` ends at 2023-11-14T22:13:21Z, before its start at 2023-11-14T22:13:22Z",
    );
    let short = Job {
        end: Some(NOW + 999),
        ..every()
    };
    refused(
        short,
        "job `tick` ends at 2023-11-14T22:13:20.999Z, before its first occurrence at 2023-11-14T22:13:21Z",
    );
    let started = Job {
        start: Some(NOW),
        ..job(Trigger::Once(NOW))
    };
    refused(
        started,
        "job `tick` comes once and has a start; a start is for what repeats, so leave it out",
    );
    let at_its_end = Job {
        end: Some(NOW + 1_000),
        ..every()
    };
    assert_eq!(row("app", at_its_end, NOW).unwrap().due, Some(NOW + 1_000));
}

#[test]
fn a_time_that_is_past_comes_at_once() {
    let row = row("app", job(Trigger::Once(NOW - 5)), NOW).unwrap();
    assert_eq!((row.due, row.wake), (Some(NOW - 5), Some(NOW)));
}

#[test]
fn no_two_schedules_are_one() {
    let (one, other) = (
        row("app", every(), NOW).unwrap(),
        row("app", every(), NOW).unwrap(),
    );
    assert_ne!(one.incarnation, other.incarnation);
    assert_ne!(one.version, other.version);
}
