//! When a trigger's occurrences are: once, at intervals, or by cron in a time zone. Knows no clock.

use super::{Timestamp, Trigger};
use crate::{Error, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use std::time::Duration;

/// The last millisecond of the year 9999: what comes later never comes.
pub(super) const LAST: Timestamp = 253_402_300_799_999;
/// Bytes of an expression, and of a time zone's name.
const MAX_TEXT: usize = 256;

const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, `L` or `15W`"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of the week", "0 to 7, SUN to SAT, `5#2` or `5L`"),
];

const NAMED: [(&str, &str); 7] = [
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * SUN"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    ("@hourly", "0 0 * * * *"),
];

#[derive(Clone, Debug)]
pub(super) enum Calendar {
    Once(Timestamp),
    /// Milliseconds.
    Every(u64),
    Cron {
        cron: Box<Cron>,
        zone: Tz,
    },
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
            } => cron(expression.trim(), time_zone.as_deref()),
        }
    }

    /// The first occurrence of a job that is scheduled now.
    pub(super) fn first(&self, start: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        match (self, start) {
            (Calendar::Once(at), _) => Some(*at),
            (Calendar::Every(interval), None) => now.checked_add(*interval).filter(is_some_day),
            (Calendar::Every(_), Some(start)) if start >= now => Some(start),
            (Calendar::Every(_), Some(start)) => self.after(start, now.saturating_sub(1)),
            (Calendar::Cron { .. }, Some(start)) if start > now => {
                self.after(now, start.saturating_sub(1))
            }
            (Calendar::Cron { .. }, _) => self.after(now, now),
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
            Calendar::Cron { cron, zone } => cron_after(cron, *zone, due.max(now)),
        }
    }

    /// The last occurrence up to `now`, after the one at `due`, if there is one.
    pub(super) fn last(&self, due: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let next = self.after(due, due).filter(|next| *next <= now)?;
        match self {
            Calendar::Once(_) => None,
            Calendar::Every(interval) => Some(due + (now - due) / interval * interval),
            Calendar::Cron { cron, zone } => {
                let from = moment(now)?.with_timezone(zone);
                let found = cron.find_previous_occurrence(&from, true).ok();
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

fn cron_after(cron: &Cron, zone: Tz, now: Timestamp) -> Option<Timestamp> {
    let from = moment(now)?.with_timezone(&zone);
    let found = cron.find_next_occurrence(&from, false).ok()?;
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

fn cron(expression: &str, zone: Option<&str>) -> Result<Calendar> {
    if expression.len() > MAX_TEXT {
        return Err(Error::invalid(format!(
            "a schedule of {} bytes; at most {MAX_TEXT} are allowed",
            expression.len()
        )));
    }
    let zone = zone.map_or(Ok(Tz::UTC), time_zone)?;
    let lower = expression.to_ascii_lowercase();
    if let Some(interval) = lower.strip_prefix("@every ") {
        let parsed: std::result::Result<wythe_manifest::Duration, _> = interval.trim().parse();
        let parsed = parsed.map_err(|expected| {
            Error::invalid(format!("the schedule `{expression}`; expected {expected}"))
        })?;
        return every(parsed.0, "@every");
    }
    let named = NAMED.iter().find(|(name, _)| *name == lower);
    if lower.starts_with('@') && named.is_none() {
        let names: Vec<_> = NAMED.iter().map(|(name, _)| *name).collect();
        return Err(Error::invalid(format!(
            "the schedule `{expression}`; expected one of {} or `@every 1h30m`",
            names.join(", ")
        )));
    }
    let fields = named.map_or(expression, |(_, fields)| fields);
    let cron = Box::new(parse(expression, fields)?);
    let calendar = Calendar::Cron { cron, zone };
    // A pattern without years repeats every 400 of them, so it is enough to look from anywhere.
    match calendar.after(0, 0) {
        Some(_) => Ok(calendar),
        None => Err(Error::invalid(format!(
            "the schedule `{expression}` never comes"
        ))),
    }
}

fn time_zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        let shown: String = name.chars().take(64).collect();
        let nearest = TZ_VARIANTS.iter().map(|zone| zone.name());
        let nearest = nearest.max_by(|a, b| {
            let score = |known: &str| strsim::jaro_winkler(&shown, known);
            score(a).total_cmp(&score(b))
        });
        let hint = nearest.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
        Error::invalid(format!("there is no time zone `{shown}`{hint}"))
    })
}

fn parse(expression: &str, text: &str) -> Result<Cron> {
    let mut fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() == 5 {
        fields.insert(0, "0");
    }
    if fields.len() != 6 {
        return Err(Error::invalid(format!(
            "the schedule `{expression}` has {} fields; expected 6: second, minute, hour, day of the month, month and \
             day of the week (or 5, without the second)",
            fields.len()
        )));
    }
    for (index, field) in fields.iter().enumerate() {
        if !is_good(index, field) {
            let (name, expected) = FIELDS[index];
            return Err(Error::invalid(format!(
                "the schedule `{expression}` has the {name} `{field}`; expected {expected}, or `*`, with `,`, `-` and `/`"
            )));
        }
    }
    parser()
        .parse(&fields.join(" "))
        .map_err(|error| Error::invalid(format!("the schedule `{expression}`")).with_source(error))
}

/// `5/10`, from 5 in steps of 10, is no standard cron, but is what Dapr takes.
fn parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Disallowed)
        .sloppy_ranges(true)
        .build()
}

/// Whether one field is good by itself: the parser does not say which one it dislikes.
fn is_good(index: usize, field: &str) -> bool {
    let is_word = field.bytes().any(|byte| byte.is_ascii_alphabetic());
    let is_hollow = field
        .split(',')
        .any(|part| part.is_empty() || part.starts_with('/'));
    if is_hollow || (is_word && index < 3) {
        return false;
    }
    let mut fields = ["*"; 6];
    fields[index] = field;
    parser().parse(&fields.join(" ")).is_ok()
}

#[cfg(test)]
mod tests;
