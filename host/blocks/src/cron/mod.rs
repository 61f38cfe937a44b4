//! Cron texts, read in one way wherever they are written: five or six fields, words, and `@every`.

mod search;
#[cfg(test)]
mod tests;

use crate::{Error, Result};
use chrono::{DateTime, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::parser::{CronParser, Seconds, Year};
use std::time::Duration;

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

/// The times at which something comes, again and again.
#[derive(Clone, Debug)]
pub enum Schedule {
    /// A fixed time after the one before.
    Every(Duration),
    /// The clock of a time zone, by a cron expression.
    Cron(Cron),
}

/// Five or six fields in a time zone, of which it is known that they come some day.
#[derive(Clone, Debug)]
pub struct Cron {
    cron: Box<croner::Cron>,
    zone: Tz,
}

impl Schedule {
    /// Reads `@every 1h30m`, five or six fields, or a word such as `@daily`, in a time zone (UTC).
    ///
    /// # Errors
    /// `invalid` that says what is wrong, also with fields that never come, such as those of a 30 February.
    pub fn parse(text: &str, zone: Option<&str>) -> Result<Self> {
        let text = text.trim();
        if text.len() > MAX_TEXT {
            return Err(Error::invalid(format!(
                "a schedule of {} bytes; at most {MAX_TEXT} are allowed",
                text.len()
            )));
        }
        let zone = zone.map_or(Ok(Tz::UTC), time_zone)?;
        let lower = text.to_ascii_lowercase();
        if let Some(interval) = lower.strip_prefix("@every ") {
            let parsed: std::result::Result<wythe_manifest::Duration, _> = interval.trim().parse();
            let wrong =
                |expected| Error::invalid(format!("the schedule `{text}`; expected {expected}"));
            return parsed.map(|every| Schedule::Every(every.0)).map_err(wrong);
        }
        let named = NAMED.iter().find(|(name, _)| *name == lower);
        if lower.starts_with('@') && named.is_none() {
            let names: Vec<_> = NAMED.iter().map(|(name, _)| *name).collect();
            return Err(Error::invalid(format!(
                "the schedule `{text}`; expected one of {} or `@every 1h30m`",
                names.join(", ")
            )));
        }
        let fields = named.map_or(text, |(_, fields)| fields);
        let cron = Box::new(parse(text, fields)?);
        if !search::comes(&cron) {
            return Err(Error::invalid(format!("the schedule `{text}` never comes")));
        }
        Ok(Schedule::Cron(Cron { cron, zone }))
    }
}

impl Cron {
    /// The first occurrence after a moment; none when a search of bounded length finds none, as for times that the
    /// clock of the zone always skips.
    pub fn after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        search::next(&self.cron, self.zone, now)
    }

    /// The last occurrence up to a moment, this one included.
    pub fn until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        search::previous(&self.cron, self.zone, now)
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

fn parse(expression: &str, text: &str) -> Result<croner::Cron> {
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

/// Returns whether one field is good by itself: the parser does not say which one it dislikes.
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
