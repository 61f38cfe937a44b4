//! The breakers of one target: one for all of its calls, or one for each actor, of which so many are remembered.

use super::core::{
    breaker::{Breaker, End, State},
    plan::BreakerPlan,
};
use parking_lot::Mutex;
use std::{collections::HashMap, mem, time::Instant};
use wythe_manifest::BreakerScope;

/// Actors whose breakers are listed, of one target.
const LISTED: usize = 100;

/// The breakers of one target.
pub struct Breakers {
    pub plan: BreakerPlan,
    of_all: Option<Mutex<Breaker>>,
    by_id: Option<Mutex<Cache>>,
}

/// An attempt that was let through, by the generations of its breakers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pass {
    of_all: Option<u64>,
    of_id: Option<u64>,
}

/// A change of a breaker's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub to: State,
    /// Failures in a row that led to it.
    pub failures: u32,
}

/// Breakers by actor. Those that were not asked for since the younger half was new are forgotten with the older one.
#[derive(Default)]
struct Cache {
    young: HashMap<Box<str>, Breaker>,
    old: HashMap<Box<str>, Breaker>,
}

impl Cache {
    fn of(&mut self, id: &str, limit: usize, new: impl FnOnce() -> Breaker) -> &mut Breaker {
        if !self.young.contains_key(id) {
            let breaker = self.old.remove(id).unwrap_or_else(new);
            if self.young.len() >= limit.div_ceil(2) {
                self.old = mem::take(&mut self.young);
            }
            self.young.insert(id.into(), breaker);
        }
        self.young.get_mut(id).expect("it was put there")
    }

    fn find(&mut self, id: &str) -> Option<&mut Breaker> {
        self.young.get_mut(id).or_else(|| self.old.get_mut(id))
    }
}

impl Breakers {
    pub fn new(plan: BreakerPlan, now: Instant) -> Self {
        let (of_all, by_id) = match plan.scope {
            BreakerScope::Type => (true, false),
            BreakerScope::Id => (false, true),
            BreakerScope::Both => (true, true),
        };
        Breakers {
            of_all: of_all.then(|| Mutex::new(Breaker::new(&plan.breaker, now))),
            by_id: by_id.then(Mutex::default),
            plan,
        }
    }

    /// Lets an attempt through, or says after which time to ask again. Each change is reported.
    pub fn admit(
        &self,
        id: &str,
        now: Instant,
        report: &dyn Fn(Change),
    ) -> Result<Pass, std::time::Duration> {
        let plan = &self.plan.breaker;
        let ask = |breaker: &mut Breaker| watched(breaker, report, |one| one.admit(plan, now));
        let mut pass = Pass::default();
        if let Some(of_all) = &self.of_all {
            pass.of_all = Some(ask(&mut of_all.lock())?);
        }
        if let Some(by_id) = &self.by_id {
            let mut cache = by_id.lock();
            let new = || Breaker::new(plan, now);
            let asked = ask(cache.of(id, self.plan.cache, new));
            drop(cache);
            match asked {
                Ok(generation) => pass.of_id = Some(generation),
                Err(wait) => {
                    self.settle(id, pass, now, End::Unknown, report);
                    return Err(wait);
                }
            }
        }
        Ok(pass)
    }

    /// Counts the end of an attempt.
    pub fn settle(&self, id: &str, pass: Pass, now: Instant, end: End, report: &dyn Fn(Change)) {
        let plan = &self.plan.breaker;
        let settle = |breaker: &mut Breaker, generation| {
            watched(breaker, report, |one| {
                one.settle(plan, now, generation, end)
            });
        };
        if let (Some(of_all), Some(generation)) = (&self.of_all, pass.of_all) {
            settle(&mut of_all.lock(), generation);
        }
        if let (Some(by_id), Some(generation)) = (&self.by_id, pass.of_id) {
            // One that was forgotten meanwhile knows nothing of the attempt.
            if let Some(breaker) = by_id.lock().find(id) {
                settle(breaker, generation);
            }
        }
    }

    /// The number of them in each state.
    pub fn states(&self, now: Instant) -> [u64; State::ALL.len()] {
        let mut states = [0; State::ALL.len()];
        self.each(now, |_, state, _| states[state as usize] += 1);
        states
    }

    /// The breaker of all calls, and those of actors that are not closed, the first hundred; each with the actor, its state,
    /// its failures in a row and the time for which it stays open.
    pub fn list(
        &self,
        now: Instant,
    ) -> Vec<(Option<String>, State, u32, Option<std::time::Duration>)> {
        let mut list = Vec::new();
        self.each(now, |id, state, breaker| {
            if id.is_none() || (state != State::Closed && list.len() < LISTED) {
                let failures = breaker.counts().consecutive_failures;
                let id = id.map(str::to_owned);
                list.push((id, state, failures, breaker.left(now)));
            }
        });
        list
    }

    fn each(&self, now: Instant, mut see: impl FnMut(Option<&str>, State, &Breaker)) {
        let plan = &self.plan.breaker;
        let mut show = |id: Option<&str>, breaker: &Breaker| {
            // A copy is asked, so that what a look changes is reported by the next attempt.
            let mut copy = breaker.clone();
            let state = copy.state(plan, now);
            see(id, state, &copy);
        };
        if let Some(of_all) = &self.of_all {
            show(None, &of_all.lock());
        }
        if let Some(by_id) = &self.by_id {
            let cache = by_id.lock();
            for (id, breaker) in cache.young.iter().chain(&cache.old) {
                show(Some(id), breaker);
            }
        }
    }
}

/// Does something with a breaker, and reports where its state is another one then.
fn watched<T>(
    breaker: &mut Breaker,
    report: &dyn Fn(Change),
    work: impl FnOnce(&mut Breaker) -> T,
) -> T {
    let (before, counts) = (breaker.seen(), breaker.counts());
    let done = work(breaker);
    let to = breaker.seen();
    if before != to {
        let failures = counts.consecutive_failures + u32::from(to == State::Open);
        report(Change { to, failures });
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock as _;
    use std::{cell::RefCell, time::Duration};
    use wythe_manifest::{Breaker as Written, Trip};

    fn breakers(scope: BreakerScope, cache: usize) -> (Breakers, Instant) {
        let breaker = Written {
            max_requests: 1,
            interval: None,
            timeout: Duration::from_secs(60),
            trip: Trip::parse("consecutiveFailures >= 2").unwrap(),
        };
        let plan = BreakerPlan {
            name: "b".into(),
            breaker,
            scope,
            cache,
        };
        let now = Instant::now();
        (Breakers::new(plan, now), now)
    }

    fn fail(breakers: &Breakers, id: &str, now: Instant) -> bool {
        let pass = breakers.admit(id, now, &|_| ());
        let is_let = pass.is_ok();
        if let Ok(pass) = pass {
            breakers.settle(id, pass, now, End::Failure, &|_| ());
        }
        is_let
    }

    #[test]
    fn a_scope_says_which_calls_share_a_breaker() {
        for (scope, expected) in [
            (BreakerScope::Type, [true, true, false, false]),
            (BreakerScope::Id, [true, true, false, true]),
            // The second failure of `a` opens that of all as well.
            (BreakerScope::Both, [true, true, false, false]),
        ] {
            let (breakers, now) = breakers(scope, 10);
            let asked = ["a", "a", "a", "b"].map(|id| fail(&breakers, id, now));
            assert_eq!(asked, expected, "{scope:?}");
        }
    }

    #[test]
    fn one_that_refuses_gives_back_what_the_other_let_through() {
        let (breakers, now) = breakers(BreakerScope::Both, 10);
        fail(&breakers, "a", now);
        let pass = breakers.admit("b", now, &|_| ()).unwrap();
        breakers.settle("b", pass, now, End::Success, &|_| ());
        fail(&breakers, "a", now);
        assert!(!fail(&breakers, "a", now), "that of `a` is open");
        let of_all = breakers.of_all.as_ref().unwrap().lock().counts();
        assert_eq!((of_all.requests, of_all.consecutive_failures), (3, 1));
    }

    #[test]
    fn so_many_actors_are_remembered() {
        let (breakers, now) = breakers(BreakerScope::Id, 10);
        for id in 0..100_000 {
            fail(&breakers, &id.to_string(), now);
        }
        let states = breakers.states(now);
        assert!((5..=10).contains(&states[0]), "{states:?}");
        for _ in 0..3 {
            fail(&breakers, "x", now);
        }
        assert_eq!(breakers.states(now)[State::Open as usize], 1);
        assert_eq!(breakers.list(now).len(), 1);
    }

    #[test]
    fn what_was_forgotten_is_not_made_anew_by_the_end_of_an_attempt() {
        let (breakers, now) = breakers(BreakerScope::Id, 2);
        let pass = breakers.admit("x", now, &|_| ()).unwrap();
        for id in ["a", "b", "c"] {
            fail(&breakers, id, now);
        }
        let known = breakers.states(now);
        breakers.settle("x", pass, now, End::Failure, &|_| ());
        assert_eq!(breakers.states(now), known);
        let ids = breakers.by_id.as_ref().unwrap().lock();
        assert!(!ids.young.contains_key("x") && !ids.old.contains_key("x"));
    }

    #[test]
    fn changes_are_reported_once() {
        let (breakers, now) = breakers(BreakerScope::Type, 10);
        let changes = RefCell::new(Vec::new());
        let report = |change| changes.borrow_mut().push(change);
        for _ in 0..2 {
            let pass = breakers.admit("", now, &report).unwrap();
            breakers.settle("", pass, now, End::Failure, &report);
        }
        assert!(breakers.admit("", now, &report).is_err());
        let later = now.after(Duration::from_secs(60));
        assert_eq!(breakers.states(later), [0, 1, 0]);
        let pass = breakers.admit("", later, &report).unwrap();
        breakers.settle("", pass, later, End::Success, &report);
        let changes: Vec<_> = changes
            .take()
            .iter()
            .map(|one: &Change| (one.to, one.failures))
            .collect();
        assert_eq!(
            changes,
            [(State::Open, 2), (State::HalfOpen, 0), (State::Closed, 0)]
        );
    }
}
