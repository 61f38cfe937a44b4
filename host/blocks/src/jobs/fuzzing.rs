//! Triggers of jobs as a target of the fuzzer: cron texts, intervals and times, and the search for occurrences.

use super::{
    Trigger,
    calendar::{Calendar, LAST, read_time, shown_time},
};
use crate::fuzzing::{line, number};
use std::time::Duration;

/// A kind, the time now, the time of an occurrence, a number, and then a text: a cron text and a time zone, each a line.
pub fn schedule(data: &[u8]) {
    let Some((kind, mut rest)) = data.split_first() else {
        return;
    };
    let (now, due) = (number(&mut rest) % LAST, number(&mut rest));
    let amount = number(&mut rest);
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let (expression, zone) = line(text.as_bytes());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let trigger = match kind % 4 {
        0 => Trigger::Once(amount),
        1 => Trigger::Every(Duration::from_millis(amount)),
        2 => Trigger::Cron {
            expression: text(expression),
            time_zone: None,
        },
        _ => Trigger::Cron {
            expression: text(expression),
            time_zone: Some(text(zone)),
        },
    };
    if let Ok(calendar) = Calendar::read(&trigger) {
        search(&calendar, due, now);
    }
    if let Ok(at) = read_time(&text(expression)) {
        assert!(at > LAST || read_time(&shown_time(at)).is_ok_and(|again| again == at));
    }
}

fn search(calendar: &Calendar, due: u64, now: u64) {
    let is_once = matches!(calendar, Calendar::Once(_));
    // A later start is refused before it comes here.
    for start in [None, Some(due.min(LAST))] {
        let first = calendar.first(start, now);
        assert!(is_once || first.is_none_or(|first| (now..=LAST).contains(&first)));
    }
    let next = calendar.after(due, now);
    assert!(next.is_none_or(|next| next > now.max(due) && next <= LAST));
    let last = calendar.last(due, now);
    assert!(last.is_none_or(|last| last > due && last <= now));
}
