//! The transitions of a job row after an occurrence, a failure, a downtime or a pause. Knows no clock and no driver.

use super::{FailurePolicy, Misfire, Row, Timestamp, calendar::Calendar};
use crate::{Result, time::milliseconds};
use std::time::Duration;

/// Bytes of a failure's text that are stored.
pub const MAX_FAILURE: usize = 1 << 10;

/// The outcome of an occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    Failed(String),
    /// The app could not begin it now.
    NotBegun(Duration),
    /// It came due while no host ran, and its policy lets it not run as it is.
    Missed,
}

/// `name/incarnation/due`: the same on every attempt and after a crash, and never that of another occurrence.
pub(super) fn id(row: &Row) -> String {
    let due = row.due.unwrap_or_default();
    format!("{}/{:016x}/{due}", row.job.name, row.incarnation)
}

/// Returns whether two rows are at the same occurrence.
pub(super) fn is_same(one: &Row, other: &Row) -> bool {
    (one.incarnation, one.due) == (other.incarnation, other.due)
}

/// Returns whether the occurrence came due before `since`, from when on a host has run, and is not to run as it is.
pub(super) fn is_missed(row: &Row, since: Timestamp, now: Timestamp) -> bool {
    let late = row.attempts == 0 && row.wake.is_some_and(|wake| wake < since);
    late && match row.job.on_misfire {
        Misfire::All => false,
        Misfire::Skip => true,
        // Where only one was missed, that one comes.
        Misfire::One => newest(row, now) != row.due,
    }
}

/// The row after the outcome; none where the job is over.
pub(super) fn apply(row: &Row, outcome: &Outcome, now: Timestamp) -> Option<Row> {
    let row = Row {
        version: row.version.wrapping_add(1),
        ..row.clone()
    };
    match outcome {
        Outcome::Done => next(
            Row {
                failure: None,
                ..counted(row)
            },
            now,
        ),
        Outcome::Failed(text) => failed(row, text, now),
        Outcome::NotBegun(pause) => Some(woken(row, later(now, *pause))),
        Outcome::Missed => caught_up(row, now),
    }
}

/// A paused row goes on; what came due meanwhile is a misfire, unless it is under way.
pub(super) fn resumed(row: &Row, now: Timestamp, is_running: bool) -> Result<Option<Row>> {
    Calendar::read(&row.job.trigger)?;
    let row = Row {
        version: row.version.wrapping_add(1),
        paused: false,
        ..row.clone()
    };
    let missed = row.due.is_some_and(|due| due <= now);
    if missed && row.attempts == 0 && !is_running {
        return Ok(caught_up(row, now));
    }
    let wake = row.due.map_or(now, |due| due.max(now));
    Ok(Some(woken(row, wake)))
}

pub(super) fn paused(row: &Row) -> Row {
    Row {
        version: row.version.wrapping_add(1),
        paused: true,
        wake: None,
        ..row.clone()
    }
}

fn failed(row: Row, text: &str, now: Timestamp) -> Option<Row> {
    let row = Row {
        failure: Some(cut(text)),
        attempts: row.attempts.saturating_add(1),
        ..row
    };
    match row.job.on_failure {
        FailurePolicy::Retry {
            interval,
            max_retries,
        } if max_retries.is_none_or(|max_retries| row.attempts <= max_retries) => {
            Some(woken(row, later(now, interval)))
        }
        _ => next(counted(row), now),
    }
}

fn counted(row: Row) -> Row {
    Row {
        occurrences: row.occurrences.saturating_add(1),
        attempts: 0,
        ..row
    }
}

/// Moves on to the occurrence after the one that is done with. What came due while it ran is a misfire.
fn next(row: Row, now: Timestamp) -> Option<Row> {
    let enough = |limit: u32| row.occurrences >= u64::from(limit);
    if row.job.repeats.is_some_and(enough) {
        return None;
    }
    let due = row.due?;
    with_calendar(row, |calendar, row| {
        let following = calendar.after(due, due)?;
        let is_over = row.job.end.is_some_and(|end| following > end);
        Some(match row.job.on_misfire {
            _ if is_over || following > now => same(following),
            Misfire::All => same(following),
            Misfire::One => (newest(row, now)?, now),
            Misfire::Skip => same(calendar.after(due, now)?),
        })
    })
}

/// Misses are made one, or left out.
fn caught_up(row: Row, now: Timestamp) -> Option<Row> {
    let due = row.due?;
    with_calendar(row, |calendar, row| {
        Some(match row.job.on_misfire {
            Misfire::Skip => same(calendar.after(due, now)?),
            Misfire::One => (newest(row, now)?, now),
            Misfire::All => (due, now),
        })
    })
}

fn same(due: Timestamp) -> (Timestamp, Timestamp) {
    (due, due)
}

/// The last occurrence up to now: the one that stands for all that were missed.
fn newest(row: &Row, now: Timestamp) -> Option<Timestamp> {
    let due = row.due?;
    let until = row.job.end.map_or(now, |end| end.min(now));
    let calendar = Calendar::read(&row.job.trigger).ok()?;
    Some(calendar.last(due, until).unwrap_or(due))
}

/// The row with the due time and the wake that the calendar gives; none where it gives none, or one after the end.
fn with_calendar(
    row: Row,
    go_on: impl FnOnce(&Calendar, &Row) -> Option<(Timestamp, Timestamp)>,
) -> Option<Row> {
    let calendar = match Calendar::read(&row.job.trigger) {
        Ok(calendar) => calendar,
        // A time zone that a later build no longer knows: the job stays, and says why it stands still.
        Err(error) => {
            return Some(Row {
                failure: Some(cut(error.message())),
                ..paused(&row)
            });
        }
    };
    let (due, wake) = go_on(&calendar, &row)?;
    if row.job.end.is_some_and(|end| due > end) {
        return None;
    }
    let row = Row {
        due: Some(due),
        ..row
    };
    Some(woken(row, wake))
}

fn woken(row: Row, wake: Timestamp) -> Row {
    let wake = (!row.paused).then_some(wake);
    Row { wake, ..row }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    now.saturating_add(milliseconds(pause))
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_FAILURE.min(text.len()));
    text[..end].to_owned()
}

#[cfg(test)]
mod tests;
