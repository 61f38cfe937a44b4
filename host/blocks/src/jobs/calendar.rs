//! The times of a trigger's occurrences: once, at intervals, or by cron in a time zone. Knows no clock.

use super::{Timestamp, Trigger};
use crate::{
    Error, Result,
    cron::{Cron, Schedule},
};
use chrono::{DateTime, SecondsFormat, Utc};
use std::time::Duration;

/// The last millisecond of the year 9999: what comes later never comes.
pub(super) const LAST: Timestamp = 253_402_300_799_999;
#[derive(Clone, Debug)]
pub(super) enum Calendar {
    Once(Timestamp),
    /// Milliseconds.
    Every(u64),
    Cron(Cron),
}

impl Calendar {
    pub(super) fn read(trigger: &Trigger) -> Result<Self> {
        match trigger {
            Trigger::Once(at) if *at > LAST => Err(Error::invalid(format!(
                "the time {at}; expected milliseconds since 1970, before the year 10000"
            ))),
            Trigger::Once(at) => Ok(Calendar::Once(*at)),
            Trigger::Every(interval) => every(*interval, "every"),
            Trigger::Cron {
                expression,
                time_zone,
            } => match Schedule::parse(expression, time_zone.as_deref())? {
                Schedule::Every(interval) => every(interval, "@every"),
                Schedule::Cron(cron) => Ok(Calendar::Cron(cron)),
            },
        }
    }

    /// The first occurrence of a job that is scheduled now.
    pub(super) fn first(&self, start: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        match (self, start) {
            (Calendar::Once(at), _) => Some(*at),
            (Calendar::Every(interval), None) => now.checked_add(*interval).filter(is_some_day),
            (Calendar::Every(_), Some(start)) if start >= now => Some(start),
            (Calendar::Every(_), Some(start)) => self.after(start, now.saturating_sub(1)),
            (Calendar::Cron(_), Some(start)) if start > now => {
                self.after(now, start.saturating_sub(1))
            }
            (Calendar::Cron(_), _) => self.after(now, now),
        }
    }

    /// The first occurrence after `now` of a schedule that has one at `due`.
    pub(super) fn after(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Calendar::Once(_) => None,
            Calendar::Every(interval) => {
                let steps = (now.max(due) - due) / interval + 1;
                steps
                    .checked_mul(*interval)
                    .and_then(|all| all.checked_add(due))
                    .filter(is_some_day)
            }
            Calendar::Cron(cron) => cron_after(cron, due.max(now)),
        }
    }

    /// The last occurrence up to `now`, after the one at `due`, if there is one.
    pub(super) fn last(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let next = self.after(due, due).filter(|next| *next <= now)?;
        match self {
            Calendar::Once(_) => None,
            Calendar::Every(interval) => Some(due + (now - due) / interval * interval),
            Calendar::Cron(cron) => {
                let found = cron.until(moment(now)?);
                let found = found.and_then(|found| u64::try_from(found.timestamp_millis()).ok());
                // What a search backwards finds is checked, for it must lie where a search forwards went.
                found
                    .filter(|found| (next..=now).contains(found))
                    .or(Some(next))
            }
        }
    }
}

fn is_some_day(at: &Timestamp) -> bool {
    *at <= LAST
}

fn moment(at: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(i64::try_from(at).ok()?)
}

/// A time as people read it: RFC 3339, in UTC.
pub fn shown_time(at: Timestamp) -> String {
    moment(at).map_or_else(
        || at.to_string(),
        |at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true),
    )
}

/// A time as people write it: RFC 3339, in any offset.
pub fn read_time(text: &str) -> Result<Timestamp> {
    let read = DateTime::parse_from_rfc3339(text.trim()).ok();
    let read = read.and_then(|at| u64::try_from(at.timestamp_millis()).ok());
    read.ok_or_else(|| {
        Error::invalid(format!(
            "the time `{text}`; expected one such as `2030-01-31T07:30:00Z`"
        ))
    })
}

fn cron_after(cron: &Cron, now: Timestamp) -> Option<Timestamp> {
    let found = cron.after(moment(now)?)?;
    let found = u64::try_from(found.timestamp_millis()).ok()?;
    (found > now && is_some_day(&found)).then_some(found)
}

fn every(interval: Duration, what: &str) -> Result<Calendar> {
    match u64::try_from(interval.as_millis()) {
        Ok(0) => Err(Error::invalid(format!(
            "`{what}` of {interval:?}; expected at least 1 ms"
        ))),
        Ok(milliseconds) => Ok(Calendar::Every(milliseconds)),
        Err(_) => Err(Error::invalid(format!(
            "`{what}` of {interval:?}; expected a time that ends some day"
        ))),
    }
}

#[cfg(test)]
mod tests;
