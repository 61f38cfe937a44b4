//! Times as texts, which sort as the times do: Dapr's form with a fraction behind it. One without a fraction, as Dapr writes
//! it, is never later than the same second with one.

use chrono::{DateTime, NaiveDateTime, Utc};
use std::time::{Duration, SystemTime};
use wythe_blocks::time::{Clock as _, NEVER};

/// The time now.
pub(super) fn now() -> String {
    text(Utc::now())
}

fn text(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.9f").to_string()
}

/// The end of a time to live that begins now; nothing where it never ends.
pub(super) fn end(ttl: Option<Duration>) -> Option<String> {
    let ttl = ttl.filter(|ttl| *ttl < NEVER)?;
    Some(text(SystemTime::now().after(ttl).into()))
}

/// The time of a text; nothing where it is none.
pub(super) fn read(text: &str) -> Option<SystemTime> {
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(time.and_utc().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_sort_as_their_times_do() {
        let end = |millis| end(Some(Duration::from_millis(millis))).unwrap();
        let (first, second, third) = (now(), end(10), end(5_000));
        assert!(first < second && second < third);
        assert!(read(&first).unwrap() < read(&third).unwrap());
        assert_eq!(super::end(Some(Duration::MAX)), None);
        assert_eq!(super::end(None), None);
    }

    #[test]
    fn the_form_of_dapr_is_read() {
        let time = read("2026-01-02 03:04:05").unwrap();
        assert_eq!(text(time.into()), "2026-01-02 03:04:05.000000000");
        assert!("2026-01-02 03:04:05" < "2026-01-02 03:04:05.000000000");
        assert!("2026-01-02 03:04:05.9" > "2026-01-02 03:04:05");
        assert_eq!(read("soon"), None);
    }
}
