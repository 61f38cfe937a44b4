//! Exact instants: gaps and overlaps of three time zones, leap days, and what is refused.

use super::*;

fn cron(expression: &str, zone: &str) -> Result<Calendar> {
    Calendar::read(&Trigger::Cron {
        expression: expression.into(),
        time_zone: Some(zone.into()),
    })
}

fn at(text: &str) -> Timestamp {
    let parsed = DateTime::parse_from_rfc3339(text).unwrap();
    parsed.timestamp_millis().try_into().unwrap()
}

/// The occurrences after `from`, one after the other.
#[track_caller]
fn check(expression: &str, zone: &str, from: &str, expected: &[&str]) {
    let calendar = cron(expression, zone).unwrap();
    let mut now = at(from);
    for expected in expected {
        now = calendar.after(now, now).unwrap();
        assert_eq!(shown_time(now), *expected, "{expression} in {zone}");
    }
}

#[test]
fn a_fixed_time_in_a_gap_comes_once_right_after_it() {
    let night = "0 30 2 * * *";
    let berlin = [
        "2026-03-28T01:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-30T00:30:00Z",
    ];
    check(night, "Europe/Berlin", "2026-03-28T00:00:00Z", &berlin);
    let york = ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"];
    check(night, "America/New_York", "2026-03-07T12:00:00Z", &york);
    let howe = ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"];
    check(
        "0 15 2 * * *",
        "Australia/Lord_Howe",
        "2026-10-02T20:00:00Z",
        &howe,
    );
}

#[test]
fn a_fixed_time_in_an_overlap_comes_once_the_first_time() {
    let berlin = ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
    check(
        "0 30 2 * * *",
        "Europe/Berlin",
        "2026-10-24T12:00:00Z",
        &berlin,
    );
    let york = ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"];
    check(
        "0 30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00:00Z",
        &york,
    );
    let howe = ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"];
    check(
        "0 45 1 * * *",
        "Australia/Lord_Howe",
        "2026-04-03T20:00:00Z",
        &howe,
    );
}

/// Expression, time zone, from when, and what comes.
const BY_THE_CLOCK: &[(&str, &str, &str, &[&str])] = &[
    (
        "0 */30 * * * *",
        "Europe/Berlin",
        "2026-03-29T00:15:00Z",
        &[
            "2026-03-29T00:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T01:30:00Z",
        ],
    ),
    (
        "0 */15 2 * * *",
        "Europe/Berlin",
        "2026-03-28T01:40:00Z",
        &["2026-03-28T01:45:00Z", "2026-03-30T00:00:00Z"],
    ),
    (
        "0 30 * * * *",
        "Europe/Berlin",
        "2026-10-24T23:45:00Z",
        &[
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:30:00Z",
        ],
    ),
    (
        "0 30 * * * *",
        "America/New_York",
        "2026-11-01T05:00:00Z",
        &[
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:30:00Z",
            "2026-11-01T07:30:00Z",
        ],
    ),
    (
        "0 45 * * * *",
        "Australia/Lord_Howe",
        "2026-04-04T14:00:00Z",
        &[
            "2026-04-04T14:45:00Z",
            "2026-04-04T15:15:00Z",
            "2026-04-04T16:15:00Z",
        ],
    ),
];

#[test]
fn a_pattern_comes_as_often_as_the_clock_shows_it() {
    for (expression, zone, from, expected) in BY_THE_CLOCK {
        check(expression, zone, from, expected);
    }
}

#[test]
fn leap_days_are_found_over_centuries() {
    let days = [
        "2092-02-29T00:00:00Z",
        "2096-02-29T00:00:00Z",
        "2104-02-29T00:00:00Z",
    ];
    check("0 0 0 29 2 *", "UTC", "2091-01-01T00:00:00Z", &days);
    check(
        "0 0 0 29 2 +MON",
        "UTC",
        "2026-01-01T00:00:00Z",
        &["2044-02-29T00:00:00Z"],
    );
}

const SHORT: &[(&str, &str, &[&str])] = &[
    (
        "*/20 * * * * *",
        "UTC",
        &["2026-02-01T00:00:00Z", "2026-02-01T00:00:20Z"],
    ),
    (
        "5/25 * * * * *",
        "UTC",
        &["2026-02-01T00:00:05Z", "2026-02-01T00:00:30Z"],
    ),
    (
        "30 6 * * MON-FRI",
        "UTC",
        &["2026-02-02T06:30:00Z", "2026-02-03T06:30:00Z"],
    ),
    ("@Yearly", "UTC", &["2027-01-01T00:00:00Z"]),
    ("@annually", "UTC", &["2027-01-01T00:00:00Z"]),
    (
        "@monthly",
        "UTC",
        &["2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"],
    ),
    (
        "@weekly",
        "UTC",
        &["2026-02-01T00:00:00Z", "2026-02-08T00:00:00Z"],
    ),
    (
        "@daily",
        "UTC",
        &["2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"],
    ),
    ("@midnight", "Europe/Berlin", &["2026-02-01T23:00:00Z"]),
    (
        "@hourly",
        "UTC",
        &["2026-02-01T00:00:00Z", "2026-02-01T01:00:00Z"],
    ),
    ("@every 1h30m", "UTC", &["2026-02-01T01:29:59.500Z"]),
    ("0 0 12 L * *", "UTC", &["2026-02-28T12:00:00Z"]),
];

#[test]
fn seconds_and_short_forms() {
    for (expression, zone, expected) in SHORT {
        check(expression, zone, "2026-01-31T23:59:59.500Z", expected);
    }
}

#[test]
fn the_last_of_those_that_were_missed_is_found() {
    let calendar = cron("0 30 2 * * *", "Europe/Berlin").unwrap();
    let due = at("2026-03-27T01:30:00Z");
    let last = |now: &str| calendar.last(due, at(now)).map(shown_time);
    assert_eq!(last("2026-03-28T01:29:59.999Z"), None);
    assert_eq!(
        last("2026-03-28T01:30:00Z").as_deref(),
        Some("2026-03-28T01:30:00Z")
    );
    assert_eq!(
        last("2026-03-29T12:00:00Z").as_deref(),
        Some("2026-03-29T01:00:00Z")
    );
    assert_eq!(
        last("2026-10-25T12:00:00Z").as_deref(),
        Some("2026-10-25T00:30:00Z")
    );
    let every = Calendar::Every(100);
    assert_eq!(every.last(1_000, 1_099), None);
    assert_eq!(every.last(1_000, 1_399), Some(1_300));
    assert_eq!(every.after(1_000, 1_300), Some(1_400));
    assert_eq!(Calendar::Once(5).last(5, 9), None);
}

#[test]
fn the_first_occurrence_is_not_before_the_start() {
    let every = Calendar::Every(100);
    assert_eq!(every.first(None, 1_030), Some(1_130));
    assert_eq!(every.first(Some(1_500), 1_030), Some(1_500));
    assert_eq!(
        every.first(Some(500), 1_030),
        Some(1_100),
        "the start is the anchor"
    );
    assert_eq!(every.first(Some(500), 1_100), Some(1_100));
    let hourly = cron("@hourly", "UTC").unwrap();
    let now = at("2026-02-01T00:30:00Z");
    let first = |start: Option<&str>| shown_time(hourly.first(start.map(at), now).unwrap());
    assert_eq!(first(None), "2026-02-01T01:00:00Z");
    assert_eq!(first(Some("2026-02-01T05:00:00Z")), "2026-02-01T05:00:00Z");
    assert_eq!(first(Some("2026-02-01T05:00:01Z")), "2026-02-01T06:00:00Z");
    assert_eq!(first(Some("2026-01-01T00:00:00Z")), "2026-02-01T01:00:00Z");
}

const WRONG: &[(&str, &str)] = &[
    ("0 0 0 30 2 *", "the schedule `0 0 0 30 2 *` never comes"),
    (
        "0 61 * * * *",
        "the schedule `0 61 * * * *` has the minute `61`; expected 0 to 59, or `*`, with `,`, `-` and `/`",
    ),
    (
        "0 0 24 * * *",
        "the schedule `0 0 24 * * *` has the hour `24`; expected 0 to 23, or `*`, with `,`, `-` and `/`",
    ),
    (
        "0 0 * * 13 *",
        "the schedule `0 0 * * 13 *` has the month `13`; expected 1 to 12 or JAN to DEC, or `*`, with `,`, `-` and `/`",
    ),
    (
        "0 0 * 0 * *",
        "the schedule `0 0 * 0 * *` has the day of the month `0`; expected 1 to 31, `L` or `15W`, or `*`, with `,`, `-` and `/`",
    ),
    (
        "0 * * * * FUN",
        "the schedule `0 * * * * FUN` has the day of the week `FUN`; expected 0 to 7, SUN to SAT, `5#2` or `5L`, or `*`, with `,`, `-` and `/`",
    ),
    (
        "MON * * * * *",
        "the schedule `MON * * * * *` has the second `MON`; expected 0 to 59, or `*`, with `,`, `-` and `/`",
    ),
    (
        "0 , * * * *",
        "the schedule `0 , * * * *` has the minute `,`; expected 0 to 59, or `*`, with `,`, `-` and `/`",
    ),
    (
        "0 */0 * * * *",
        "the schedule `0 */0 * * * *` has the minute `*/0`; expected 0 to 59, or `*`, with `,`, `-` and `/`",
    ),
    (
        "* * *",
        "the schedule `* * *` has 3 fields; expected 6: second, minute, hour, day of the month, month and day of the week (or 5, without the second)",
    ),
    (
        "",
        "the schedule `` has 0 fields; expected 6: second, minute, hour, day of the month, month and day of the week (or 5, without the second)",
    ),
    (
        "@fortnightly",
        "the schedule `@fortnightly`; expected one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly or `@every 1h30m`",
    ),
    (
        "@every soon",
        "the schedule `@every soon`; expected a duration such as `30s`, `250ms` or `1h30m`",
    ),
    ("@every 0s", "`@every` of 0ns; expected at least 1 ms"),
];

#[test]
fn what_is_wrong_with_a_schedule_is_told() {
    let wrong =
        |expression: &str, zone: &str| cron(expression, zone).unwrap_err().message().to_owned();
    for (expression, expected) in WRONG {
        assert_eq!(wrong(expression, "UTC"), *expected);
    }
    assert_eq!(
        wrong("@daily", "Europe/Berln"),
        "there is no time zone `Europe/Berln`; did you mean `Europe/Berlin`?"
    );
    assert_eq!(
        wrong(&"*".repeat(257), "UTC"),
        "a schedule of 257 bytes; at most 256 are allowed"
    );
}

#[test]
fn times_are_written_and_read() {
    for (text, at) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2030-01-31T07:30:00Z", 1_896_075_000_000),
        ("2030-01-31T07:30:00.250Z", 1_896_075_000_250),
    ] {
        assert_eq!(read_time(text).unwrap(), at);
        assert_eq!(shown_time(at), text);
    }
    assert_eq!(
        read_time("2030-01-31T08:30:00+01:00").unwrap(),
        1_896_075_000_000
    );
    for text in ["", "tomorrow", "2030-01-31", "1969-12-31T23:59:59Z"] {
        assert_eq!(
            read_time(text).unwrap_err().message(),
            format!("the time `{text}`; expected one such as `2030-01-31T07:30:00Z`")
        );
    }
}
