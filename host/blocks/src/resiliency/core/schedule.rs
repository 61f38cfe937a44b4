//! The pauses between the attempts of one call, with jitter, so that callers who failed together do not come again
//! together.

use crate::{Backoff, Policy};
use std::time::{Duration, Instant};
use wythe_manifest::{Pace, Retry};

/// The first pause, its growth, and the time of all attempts of an exponential retry, as in Dapr.
const FIRST: Duration = Duration::from_millis(500);
const GROWTH: f64 = 1.5;
const IN_ALL: Duration = Duration::from_secs(15 * 60);
/// The part of a pause by which it is longer or shorter at most: Dapr's of exponential ones. Dapr's constant ones have
/// none; a tenth is enough to spread callers, and hardly to be seen by who wrote the pause.
const EXPONENTIAL_JITTER: f64 = 0.5;
const CONSTANT_JITTER: f64 = 0.1;

/// The pauses of one call.
#[derive(Clone, Debug)]
pub struct Schedule {
    pauses: Pauses,
    /// Attempts that may follow; none is without end.
    left: Option<u32>,
    begun: Instant,
}

#[derive(Clone, Debug)]
enum Pauses {
    Constant(Duration),
    Exponential { next: Duration, max: Duration },
    BuiltIn(Backoff),
}

impl Schedule {
    /// The schedule of a retry.
    pub fn new(retry: &Retry, now: Instant) -> Self {
        let pauses = match retry.pace {
            Pace::Constant(pause) => Pauses::Constant(pause),
            Pace::Exponential(max) => Pauses::Exponential {
                next: FIRST.min(max),
                max,
            },
        };
        Schedule {
            pauses,
            left: retry.max_retries,
            begun: now,
        }
    }

    /// The schedule of a driver, where no policy has one.
    pub fn built_in(policy: &Policy, now: Instant) -> Self {
        Schedule {
            pauses: Pauses::BuiltIn(policy.backoff),
            left: Some(policy.retries),
            begun: now,
        }
    }

    /// The pause before the next attempt, if there may be one; `random` is any number.
    pub fn next(&mut self, now: Instant, random: u64) -> Option<Duration> {
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        match &mut self.pauses {
            Pauses::Constant(pause) => Some(spread(*pause, CONSTANT_JITTER, random)),
            Pauses::BuiltIn(backoff) => Some(backoff.fail()),
            Pauses::Exponential { next, max } => {
                let pause = spread(*next, EXPONENTIAL_JITTER, random);
                *next = next.mul_f64(GROWTH).min(*max);
                let passed = now.saturating_duration_since(self.begun);
                (passed.saturating_add(pause) <= IN_ALL).then_some(pause)
            }
        }
    }
}

/// A pause that is longer or shorter by a random part, at most by `jitter` of it.
fn spread(pause: Duration, jitter: f64, random: u64) -> Duration {
    // The upper 53 bits are a number from 0 to 1, as exact as it can be.
    let part = (random >> 11) as f64 / (1_u64 << 53) as f64;
    pause.mul_f64(1.0 - jitter + 2.0 * jitter * part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{random, time::Clock as _};
    use wythe_manifest::Matching;

    fn retry(pace: Pace, max_retries: Option<u32>) -> Retry {
        Retry {
            pace,
            max_retries,
            matching: Matching::default(),
        }
    }

    fn milliseconds(schedule: &mut Schedule, now: Instant, random: u64) -> Option<u128> {
        schedule.next(now, random).map(|pause| pause.as_millis())
    }

    #[test]
    fn a_constant_pause_is_the_same_but_for_a_tenth() {
        let now = Instant::now();
        let plan = retry(Pace::Constant(Duration::from_secs(5)), Some(3));
        let mut schedule = Schedule::new(&plan, now);
        let pauses = [0, 1 << 63, u64::MAX].map(|random| milliseconds(&mut schedule, now, random));
        assert_eq!(pauses, [Some(4_500), Some(5_000), Some(5_500)]);
        assert_eq!(schedule.next(now, 0), None);
    }

    #[test]
    fn an_exponential_pause_grows_by_half_up_to_its_limit() {
        let now = Instant::now();
        let plan = retry(Pace::Exponential(Duration::from_secs(2)), None);
        let mut schedule = Schedule::new(&plan, now);
        let middle = [(); 7].map(|()| milliseconds(&mut schedule, now, 1 << 63).unwrap());
        assert_eq!(middle, [500, 750, 1_125, 1_687, 2_000, 2_000, 2_000]);
        let mut schedule = Schedule::new(&plan, now);
        let [low, high] = [0, u64::MAX].map(|random| milliseconds(&mut schedule, now, random));
        assert_eq!((low, high), (Some(250), Some(1_125)));
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        let now = Instant::now();
        let plan = retry(Pace::Exponential(Duration::from_millis(500)), None);
        let mut schedule = Schedule::new(&plan, now);
        let pauses: Vec<_> = (0..10_000)
            .filter_map(|_| schedule.next(now, random::next()))
            .collect();
        let within = Duration::from_millis(250)..=Duration::from_millis(750);
        assert!(pauses.len() == 10_000 && pauses.iter().all(|pause| within.contains(pause)));
        let sum: Duration = pauses.iter().sum();
        let mean = sum.as_millis() / 10_000;
        assert!((490..510).contains(&mean), "{mean}");
    }

    #[test]
    fn exponential_attempts_end_after_a_quarter_of_an_hour() {
        let start = Instant::now();
        let plan = retry(Pace::Exponential(Duration::from_secs(60)), None);
        let mut schedule = Schedule::new(&plan, start);
        let (mut now, mut attempts) = (start, 0);
        while let Some(pause) = schedule.next(now, 1 << 63) {
            now = now.after(pause);
            attempts += 1;
        }
        let passed = now.duration_since(start);
        assert!(
            passed <= IN_ALL && passed > IN_ALL - Duration::from_secs(60),
            "{passed:?}"
        );
        assert_eq!(attempts, 24);
        let constant = retry(Pace::Constant(Duration::from_secs(5)), None);
        let mut schedule = Schedule::new(&constant, start);
        let later = start.after(Duration::from_secs(86_400));
        assert!(schedule.next(later, 0).is_some(), "without end");
    }
}
