//! A schedule: `@every 5s`, five or six fields, or a word such as `@daily`.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;
use wythe_blocks::{
    Error, Result,
    cron::{self, Cron},
};

const SHORTEST: Duration = Duration::from_secs(1);

pub(super) enum Schedule {
    /// Times a step apart, counted from the start.
    Every {
        start: DateTime<Utc>,
        step: TimeDelta,
    },
    Cron(Cron),
}

impl Schedule {
    /// One that never comes is refused: it is a mistake.
    pub fn parse(text: &str, zone: Option<&str>, now: DateTime<Utc>) -> Result<Self> {
        let schedule = match cron::Schedule::parse(text, zone)? {
            cron::Schedule::Every(every) => every_step(text, every, now)?,
            cron::Schedule::Cron(cron) => Schedule::Cron(cron),
        };
        match schedule.after(now) {
            Some(_) => Ok(schedule),
            None => Err(Error::invalid(format!("the schedule `{text}` never comes"))),
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
            Schedule::Cron(cron) => cron.after(now),
        }
    }
}

fn every_step(text: &str, every: Duration, start: DateTime<Utc>) -> Result<Schedule> {
    let step = Some(every).filter(|step| *step >= SHORTEST);
    let step = step.and_then(|step| TimeDelta::from_std(step).ok());
    let step = step.ok_or_else(|| {
        Error::invalid(format!(
            "the schedule `{text}`; expected a duration of at least 1 s, such as `@every 5s`"
        ))
    })?;
    Ok(Schedule::Every { start, step })
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
            (" @EVERY 90s", None, "2026-03-28T10:01:30Z"),
            ("@daily", None, "2026-03-29T00:00:00Z"),
            ("@midnight", None, "2026-03-29T00:00:00Z"),
            ("*/5 * * * *", None, "2026-03-28T10:05:00Z"),
            ("0 5/10 * * * *", None, "2026-03-28T10:05:00Z"),
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
        for (text, zone, message) in [
            ("0 0 30 2 *", None, "the schedule `0 0 30 2 *` never comes"),
            (
                "* * 2 * 3 +SUN#L",
                Some("Europe/Berlin"),
                "the schedule `* * 2 * 3 +SUN#L` never comes",
            ),
            (
                "@every 1ms",
                None,
                "the schedule `@every 1ms`; expected a duration of at least 1 s, such as `@every 5s`",
            ),
            (
                "@daily",
                Some("Mars/Olympus"),
                "there is no time zone `Mars/Olympus`",
            ),
        ] {
            let error = Schedule::parse(text, zone, now).err().unwrap();
            assert!(error.message().starts_with(message), "{error:?}");
        }
    }
}
