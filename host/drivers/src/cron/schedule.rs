//! When: `@every 5s`, five or six fields, or a word such as `@daily`.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    parser::{CronParser, Year},
};
use std::time::Duration;
use wythe_blocks::{Error, Result};

const EVERY: &str = "@every ";
const SHORTEST: Duration = Duration::from_secs(1);

pub(super) enum Schedule {
    /// So long after the start, again and again.
    Every {
        start: DateTime<Utc>,
        step: TimeDelta,
    },
    Fields {
        cron: Box<Cron>,
        zone: Tz,
    },
}

impl Schedule {
    /// One that never comes is refused: it is a mistake.
    pub fn parse(text: &str, zone: Option<&str>, now: DateTime<Utc>) -> Result<Self> {
        let zone = zone.unwrap_or("UTC");
        let zone: Tz = zone.parse().map_err(|_| {
            Error::invalid(format!(
                "`timeZone: {zone}` is not known; expected a name such as `Europe/Berlin`"
            ))
        })?;
        let schedule = match text.strip_prefix(EVERY) {
            Some(every) => every_step(text, every.trim(), now)?,
            None => Schedule::Fields {
                cron: Box::new(fields(text)?),
                zone,
            },
        };
        match schedule.after(now) {
            Some(_) => Ok(schedule),
            None => Err(Error::invalid(format!(
                "`schedule: {text}` never comes; expected one that does"
            ))),
        }
    }

    /// The first moment after `now`.
    pub fn after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Schedule::Every { start, step } => {
                let since = (now - start).num_milliseconds().max(0);
                let steps = since / step.num_milliseconds() + 1;
                let later = step.checked_mul(i32::try_from(steps).ok()?)?;
                start.checked_add_signed(later)
            }
            Schedule::Fields { cron, zone } => {
                let next = cron.find_next_occurrence(&now.with_timezone(zone), false);
                Some(next.ok()?.with_timezone(&Utc))
            }
        }
    }
}

fn every_step(text: &str, every: &str, start: DateTime<Utc>) -> Result<Schedule> {
    let step = every.parse::<wythe_manifest::Duration>().ok();
    let step = step.map(Duration::from).filter(|step| *step >= SHORTEST);
    let step = step.and_then(|step| TimeDelta::from_std(step).ok());
    let step = step.ok_or_else(|| {
        Error::invalid(format!(
            "`schedule: {text}`; expected a duration of at least 1 s, such as `@every 5s`"
        ))
    })?;
    Ok(Schedule::Every { start, step })
}

fn fields(text: &str) -> Result<Cron> {
    let parser = CronParser::builder().year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| {
        Error::invalid(format!(
            "`schedule: {text}`: expected `@every 5s`, 5 or 6 fields such as `0 30 7 * * 1-5`, or a word such as `@daily`"
        ))
        .with_source(error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn the_next_moment_is_after_now() {
        let now = at("2026-03-28T10:00:00Z");
        for (text, zone, expected) in [
            ("@every 90s", None, "2026-03-28T10:01:30Z"),
            ("@daily", None, "2026-03-29T00:00:00Z"),
            ("*/5 * * * *", None, "2026-03-28T10:05:00Z"),
            ("30 0 * * * *", None, "2026-03-28T10:00:30Z"),
            ("0 12 * * *", Some("Europe/Berlin"), "2026-03-28T11:00:00Z"),
        ] {
            let schedule = Schedule::parse(text, zone, now).unwrap();
            assert_eq!(schedule.after(now), Some(at(expected)), "{text}");
        }
    }

    #[test]
    fn missed_moments_are_skipped() {
        let start = at("2026-03-28T10:00:00Z");
        let schedule = Schedule::parse("@every 1m", None, start).unwrap();
        let next = schedule.after(at("2026-03-28T10:07:30Z"));
        assert_eq!(next, Some(at("2026-03-28T10:08:00Z")));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let now = at("2026-03-28T10:00:00Z");
        let expected = "expected `@every 5s`, 5 or 6 fields such as `0 30 7 * * 1-5`, or a word such as `@daily`";
        for (text, zone, message) in [
            (
                "0 0 30 2 *",
                None,
                "`schedule: 0 0 30 2 *` never comes; expected one that does".to_owned(),
            ),
            (
                "nonsense",
                None,
                format!("`schedule: nonsense`: {expected}"),
            ),
            (
                "* * * * * * 2027",
                None,
                format!("`schedule: * * * * * * 2027`: {expected}"),
            ),
            (
                "@every 1ms",
                None,
                "`schedule: @every 1ms`; expected a duration of at least 1 s, such as `@every 5s`"
                    .to_owned(),
            ),
            (
                "@daily",
                Some("Mars/Olympus"),
                "`timeZone: Mars/Olympus` is not known; expected a name such as `Europe/Berlin`"
                    .to_owned(),
            ),
        ] {
            let error = Schedule::parse(text, zone, now).err().unwrap();
            assert_eq!(error.message(), message);
        }
    }
}
