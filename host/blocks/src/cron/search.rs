//! Searches for occurrences, each of bounded length whatever the fields and the time zone.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::{
    Cron,
    errors::CronError,
    time::{CivilDateTime, CronDateTime, Resolution, Weekday, days_in_month, is_leap_year},
};
use std::{cell::Cell, cmp::Ordering};

/// Times of the clock that one search looks up in the time zone: one that is not at once a time that exists lies in
/// the hour that a clock skips in spring, so this is some years of such hours.
const MAX_STEPS: u32 = 20_000;
/// Years among which each of the 14 calendars that a year can have is found, from one that begins on a Saturday.
const CALENDARS: std::ops::Range<i32> = 2000..2028;

/// Returns whether the fields name a day that exists in some year: a day depends on its year's calendar alone.
pub(super) fn comes(cron: &Cron) -> bool {
    let mut first = Weekday::Saturday;
    for year in CALENDARS {
        let mut weekday = first;
        for month in 1..=12 {
            let days = days_in_month(year, month);
            let has_day = |day| {
                let weekday = weekday.shift(day as i32 - 1);
                matches!(cron.pattern.day_match(year, month, day, weekday), Ok(true))
            };
            if matches!(cron.pattern.month_match(month), Ok(true)) && (1..=days).any(has_day) {
                return true;
            }
            weekday = weekday.shift(days as i32);
        }
        first = first.shift(if is_leap_year(year) { 366 } else { 365 });
    }
    false
}

pub(super) fn next(cron: &Cron, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let left = Cell::new(MAX_STEPS);
    let found = cron.find_next_occurrence(&Moment::new(now, zone, &left), false);
    found.ok().map(|moment| moment.at.to_utc())
}

pub(super) fn previous(cron: &Cron, zone: Tz, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let left = Cell::new(MAX_STEPS);
    let found = cron.find_previous_occurrence(&Moment::new(now, zone, &left), true);
    found.ok().map(|moment| moment.at.to_utc())
}

/// A moment in a zone that ends the search when it has been asked too often.
#[derive(Clone)]
struct Moment<'c> {
    at: DateTime<Tz>,
    left: &'c Cell<u32>,
}

impl<'c> Moment<'c> {
    fn new(at: DateTime<Utc>, zone: Tz, left: &'c Cell<u32>) -> Self {
        let at = at.with_timezone(&zone);
        Moment { at, left }
    }

    fn with(&self, at: DateTime<Tz>) -> Self {
        let left = self.left;
        Moment { at, left }
    }
}

impl CronDateTime for Moment<'_> {
    fn to_civil(&self) -> CivilDateTime {
        self.at.to_civil()
    }

    fn civil_weekday(&self) -> Weekday {
        self.at.civil_weekday()
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let left = self.left.get().checked_sub(1);
        self.left
            .set(left.ok_or(CronError::TimeSearchLimitExceeded)?);
        Ok(match self.at.resolve_civil(civil)? {
            Resolution::Single(at) => Resolution::Single(self.with(at)),
            Resolution::Ambiguous(a, b) => Resolution::Ambiguous(self.with(a), self.with(b)),
            Resolution::Gap => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.at.checked_add_seconds(seconds).map(|at| self.with(at))
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.at.cmp_instant(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use croner::parser::CronParser;

    #[test]
    fn the_years_have_all_calendars() {
        let found = CALENDARS.map(|year| {
            let first = chrono::NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
            (chrono::Datelike::weekday(&first), is_leap_year(year))
        });
        let distinct: std::collections::HashSet<_> = found.collect();
        assert_eq!(distinct.len(), 14);
    }

    /// The last Sunday of March between two and three does not exist where the clock skips that hour.
    #[test]
    fn a_search_for_what_the_clock_skips_ends() {
        let parser = CronParser::builder().build();
        let cron = parser.parse("* * 2 * 3 +SUN#L").unwrap();
        assert!(comes(&cron));
        let now = "2026-11-29T00:00:00Z".parse().unwrap();
        assert_eq!(next(&cron, Tz::Europe__Berlin, now), None);
        assert!(next(&cron, Tz::UTC, now).is_some());
        let left = Cell::new(MAX_STEPS);
        let search = cron.find_next_occurrence(&Moment::new(now, Tz::Europe__Berlin, &left), false);
        assert!(search.is_err() && left.get() == 0, "it ended by its count");
    }
}
