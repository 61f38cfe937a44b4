//! The expressions that are read, and those that never come.

use super::*;

fn next(text: &str, zone: Option<&str>) -> Result<Option<String>> {
    let now = "2026-02-01T00:00:00Z".parse().unwrap();
    Ok(match Schedule::parse(text, zone)? {
        Schedule::Every(every) => Some(format!("{every:?}")),
        Schedule::Cron(cron) => cron.after(now).map(|at| at.to_rfc3339()),
    })
}

#[test]
fn all_spellings_are_read() {
    for (text, expected) in [
        ("0 5/10 * * * *", "2026-02-01T00:05:00+00:00"),
        ("@midnight", "2026-02-02T00:00:00+00:00"),
        ("@EVERY 5s", "5s"),
        (" @every 5s ", "5s"),
        ("@Daily", "2026-02-02T00:00:00+00:00"),
        ("0 12 * * *", "2026-02-01T12:00:00+00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
        ("0 0 0 29 2 +MON", "2044-02-29T00:00:00+00:00"),
        ("0 0 0 * 2 +SUN#5", "2032-02-29T00:00:00+00:00"),
    ] {
        assert_eq!(
            next(text, None).unwrap().as_deref(),
            Some(expected),
            "{text}"
        );
    }
}

#[test]
fn what_never_comes_is_found_without_a_search() {
    for text in [
        "0 0 0 30 2 *",
        "0 0 0 31 2,4,6,9,11 *",
        "0 0 0 31W 4 *",
        "* * * 30-31 FEB *",
        "0 0 0 1-7 * +MON#5",
    ] {
        let error = next(text, Some("Europe/Berlin")).unwrap_err();
        let expected = format!("the schedule `{text}` never comes");
        assert_eq!(error.message(), expected);
    }
}

#[test]
fn a_hollow_field_is_refused() {
    let error = next("0 0 12 ,1 * *", None).unwrap_err();
    assert!(
        error.message().contains("the day of the month `,1`"),
        "{error:?}"
    );
}
