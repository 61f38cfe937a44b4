//! One circuit breaker: closed, open, or half open, by the counts of what went through it.

use crate::time::Clock as _;
use std::time::{Duration, Instant};
use wythe_manifest::{Breaker as Plan, Counts};

/// The time after which an attempt may ask again that was one too many while others try.
const TRYING: Duration = Duration::from_secs(1);

/// The state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Attempts pass.
    Closed,
    /// Some attempts pass, to try whether the target is well again.
    HalfOpen,
    /// Attempts are refused.
    Open,
}

impl State {
    /// Every state, in the order of metrics.
    pub const ALL: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::HalfOpen => "half-open",
            State::Open => "open",
        }
    }
}

/// One breaker.
#[derive(Clone, Debug)]
pub struct Breaker {
    state: State,
    counts: Counts,
    /// A number that grows with each state and interval: what was let through before counts no more.
    generation: u64,
    /// The end of the interval while it is closed, and of the time that it stays open.
    until: Option<Instant>,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Success,
    Failure,
    /// The caller went away, and nobody knows.
    Unknown,
}

impl Breaker {
    pub fn new(plan: &Plan, now: Instant) -> Self {
        let mut breaker = Breaker {
            state: State::Closed,
            counts: Counts::default(),
            generation: 0,
            until: None,
        };
        breaker.enter(State::Closed, plan, now);
        breaker
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The state as it was last asked for.
    pub fn seen(&self) -> State {
        self.state
    }

    /// The state as of now: one that was open for long enough is half open.
    pub fn state(&mut self, plan: &Plan, now: Instant) -> State {
        if self.until.is_some_and(|until| until <= now) {
            match self.state {
                State::Open => self.enter(State::HalfOpen, plan, now),
                State::Closed | State::HalfOpen => self.enter(State::Closed, plan, now),
            }
        }
        self.state
    }

    /// The time until it is half open, while it is open.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        let until = self.until.filter(|_| self.state == State::Open)?;
        Some(until.saturating_duration_since(now))
    }

    /// Lets an attempt through, or says after which time to ask again.
    pub fn admit(&mut self, plan: &Plan, now: Instant) -> Result<u64, Duration> {
        match self.state(plan, now) {
            State::Open => return Err(self.left(now).unwrap_or_default()),
            State::HalfOpen if self.counts.requests >= plan.max_requests => return Err(TRYING),
            State::Closed | State::HalfOpen => {}
        }
        self.counts.requests = self.counts.requests.saturating_add(1);
        Ok(self.generation)
    }

    /// Counts the end of an attempt that was let through in a generation.
    pub fn settle(&mut self, plan: &Plan, now: Instant, generation: u64, end: End) {
        let state = self.state(plan, now);
        if generation != self.generation {
            return;
        }
        let counts = &mut self.counts;
        match end {
            End::Unknown => counts.requests = counts.requests.saturating_sub(1),
            End::Success => {
                counts.total_successes = counts.total_successes.saturating_add(1);
                counts.consecutive_successes = counts.consecutive_successes.saturating_add(1);
                counts.consecutive_failures = 0;
                if state == State::HalfOpen && counts.consecutive_successes >= plan.max_requests {
                    self.enter(State::Closed, plan, now);
                }
            }
            End::Failure => {
                counts.total_failures = counts.total_failures.saturating_add(1);
                counts.consecutive_failures = counts.consecutive_failures.saturating_add(1);
                counts.consecutive_successes = 0;
                if state == State::HalfOpen || plan.trip.holds(counts) {
                    self.enter(State::Open, plan, now);
                }
            }
        }
    }

    fn enter(&mut self, state: State, plan: &Plan, now: Instant) {
        self.generation += 1;
        self.state = state;
        self.counts = Counts::default();
        self.until = match state {
            State::Closed => plan.interval.map(|interval| now.after(interval)),
            State::HalfOpen => None,
            State::Open => Some(now.after(plan.timeout)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_manifest::Trip;

    fn plan(max_requests: u32, interval: Option<u64>) -> Plan {
        Plan {
            max_requests,
            interval: interval.map(Duration::from_secs),
            timeout: Duration::from_secs(60),
            trip: Trip::after_five(),
        }
    }

    fn attempt(breaker: &mut Breaker, plan: &Plan, now: Instant, end: End) {
        let generation = breaker.admit(plan, now).expect("it lets attempts through");
        breaker.settle(plan, now, generation, end);
    }

    #[test]
    fn it_opens_after_more_than_five_failures_in_a_row_and_closes_after_one_success() {
        let (plan, start) = (plan(1, None), Instant::now());
        let mut breaker = Breaker::new(&plan, start);
        for _ in 0..5 {
            attempt(&mut breaker, &plan, start, End::Failure);
        }
        attempt(&mut breaker, &plan, start, End::Success);
        for _ in 0..5 {
            attempt(&mut breaker, &plan, start, End::Failure);
        }
        assert_eq!(breaker.state(&plan, start), State::Closed);
        attempt(&mut breaker, &plan, start, End::Failure);
        assert_eq!(breaker.admit(&plan, start), Err(plan.timeout));
        let soon = start.after(Duration::from_secs(59));
        assert_eq!(breaker.admit(&plan, soon), Err(Duration::from_secs(1)));
        let later = start.after(plan.timeout);
        assert_eq!(breaker.state(&plan, later), State::HalfOpen);
        attempt(&mut breaker, &plan, later, End::Success);
        assert_eq!(breaker.state(&plan, later), State::Closed);
    }

    #[test]
    fn half_open_it_lets_so_many_through_and_closes_after_as_many_successes() {
        let (plan, start) = (plan(2, None), Instant::now());
        let mut breaker = Breaker::new(&plan, start);
        for _ in 0..6 {
            attempt(&mut breaker, &plan, start, End::Failure);
        }
        let later = start.after(plan.timeout);
        let first = breaker.admit(&plan, later).expect("the first");
        let second = breaker.admit(&plan, later).expect("the second");
        assert_eq!(breaker.admit(&plan, later), Err(TRYING));
        // One whose caller left makes room for another.
        breaker.settle(&plan, later, second, End::Unknown);
        let third = breaker.admit(&plan, later).expect("the third");
        breaker.settle(&plan, later, first, End::Success);
        assert_eq!(breaker.state(&plan, later), State::HalfOpen);
        breaker.settle(&plan, later, third, End::Success);
        assert_eq!(breaker.state(&plan, later), State::Closed);
        // What was let through before is of no account.
        breaker.settle(&plan, later, second, End::Failure);
        assert_eq!(breaker.counts(), Counts::default());
    }

    #[test]
    fn half_open_one_failure_opens_it_again() {
        let (plan, start) = (plan(3, None), Instant::now());
        let mut breaker = Breaker::new(&plan, start);
        for _ in 0..6 {
            attempt(&mut breaker, &plan, start, End::Failure);
        }
        let later = start.after(plan.timeout);
        attempt(&mut breaker, &plan, later, End::Success);
        attempt(&mut breaker, &plan, later, End::Failure);
        assert_eq!(breaker.admit(&plan, later), Err(plan.timeout));
    }

    #[test]
    fn counts_begin_anew_with_each_interval() {
        let (plan, start) = (plan(1, Some(10)), Instant::now());
        let mut breaker = Breaker::new(&plan, start);
        for second in 0..30 {
            let now = start.after(Duration::from_secs(2 * second));
            attempt(&mut breaker, &plan, now, End::Failure);
        }
        assert_eq!(breaker.counts().total_failures, 5);
        let never = Plan {
            interval: None,
            ..plan
        };
        let mut breaker = Breaker::new(&never, start);
        for second in 0..6 {
            let now = start.after(Duration::from_secs(3_600 * second));
            attempt(&mut breaker, &never, now, End::Failure);
        }
        assert_eq!(breaker.state, State::Open);
    }
}
