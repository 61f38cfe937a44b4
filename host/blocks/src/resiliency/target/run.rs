//! The effect of policies: retry( breaker( timeout( attempt ))), never past the caller's deadline.

use super::{Guard, Target};
use crate::{
    Call, Error, Policy, Result, random,
    resiliency::{
        breakers::{Breakers, Pass},
        core::{
            breaker::End,
            failure::{
                Failure, Nature, is_counted, may_have_happened, may_repeat, may_repeat_built_in,
            },
            schedule::Schedule,
        },
    },
    time::{Clock as _, instant},
};
use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use wythe_manifest::Duration as Written;

/// A call under policies.
#[derive(Clone, Copy)]
pub struct Guarded<'a> {
    /// The call in messages.
    pub what: &'a str,
    pub nature: Nature,
    /// The actor, of a call of one; empty otherwise.
    pub id: &'a str,
    /// The caller's deadline, after which no attempt starts.
    pub deadline: Instant,
    /// The rule of a driver, for what no policy says.
    pub built_in: Option<&'a Policy>,
    /// False where what is asked can be asked once only: a body that streams is gone then.
    pub is_repeatable: bool,
    /// The attempt keeps its timeout itself, since it waits for something first of which the timeout is no part.
    pub is_timed: bool,
    /// The end of the wait for another attempt.
    pub stop: Option<&'a CancellationToken>,
}

impl<'a> Guarded<'a> {
    pub fn new(what: &'a str, nature: Nature, deadline: Instant) -> Self {
        Guarded {
            what,
            nature,
            id: "",
            deadline,
            built_in: None,
            is_repeatable: true,
            is_timed: false,
            stop: None,
        }
    }
}

/// The time that one attempt has.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The timeout of the policy.
    pub timeout: Option<Duration>,
    /// The end of the attempt, were it to begin now.
    pub until: Instant,
}

impl Limit {
    /// The caller, for an attempt that knows its timeout as its deadline.
    pub fn on(self, caller: &Call) -> Call {
        match self.timeout {
            Some(_) => caller.capped(self.until),
            None => caller.clone(),
        }
    }
}

/// An attempt that a breaker let through, until it is counted; a caller that goes away leaves no trace in it.
struct Admitted<'a> {
    target: &'a Target,
    breakers: &'a Breakers,
    id: &'a str,
    pass: Option<Pass>,
}

impl Admitted<'_> {
    fn settle(&mut self, end: End) {
        if let Some(pass) = self.pass.take() {
            let report = |change| self.target.note(self.breakers, change);
            self.breakers.settle(self.id, pass, instant(), end, &report);
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.settle(End::Unknown);
    }
}

impl Target {
    /// Makes attempts until one succeeds, or none may follow; the answer is that of the last that was made. Where an
    /// earlier one may have been done, an error is `unknown-outcome`. `judge` says what failed of an answer.
    pub async fn run<T, F>(
        &self,
        guard: &Guard,
        call: Guarded<'_>,
        mut attempt: impl FnMut(Limit) -> F,
        judge: impl Fn(&T) -> Option<Failure>,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut schedule = schedule(guard, &call);
        if schedule.is_some() {
            guard.budget.lock().call();
        }
        let (mut last, mut is_unknown) = (None, false);
        loop {
            let mut admitted = match self.admit(guard, call) {
                Ok(admitted) => admitted,
                Err(open) => return self.sure(call, last.unwrap_or(Err(open)), is_unknown),
            };
            let limit = limit(guard, &call);
            let answer = self.once(call, limit, attempt(limit)).await;
            let failure = match &answer {
                Ok(answer) => judge(answer),
                Err(error) => Some(Failure::of(error)),
            };
            if let Some(admitted) = &mut admitted {
                let failed = failure.filter(|failure| is_counted(call.nature, *failure));
                admitted.settle(failed.map_or(End::Success, |_| End::Failure));
            }
            drop(admitted);
            let again = failure.filter(|failure| may(guard, &call, *failure));
            let pause = again.and(schedule.as_mut());
            let Some(pause) = pause.and_then(|all| all.next(instant(), random::next())) else {
                return self.sure(call, answer, is_unknown);
            };
            if instant().after(pause) >= call.deadline || !self.pay(guard) {
                return self.sure(call, answer, is_unknown);
            }
            is_unknown |= failure.is_some_and(|failure| may_have_happened(call.nature, failure));
            // What an app answered holds a call of it until it is dropped.
            last = match (call.stop, answer) {
                (None, Ok(_)) => None,
                (_, answer) => Some(answer),
            };
            if !rest(pause, call.stop).await
                && let Some(answer) = last
            {
                return answer;
            }
            count(&self.counts.retries);
        }
    }

    /// An error of the last attempt says nothing of those before it.
    fn sure<T>(&self, call: Guarded<'_>, answer: Result<T>, is_unknown: bool) -> Result<T> {
        answer.map_err(|error| match is_unknown {
            true => Error::unknown_outcome(format!(
                "an earlier attempt of `{}` of {} may or may not have happened; the last one: {}",
                call.what,
                self.key,
                error.message()
            ))
            .with_source(error),
            false => error,
        })
    }

    /// Asks the breaker; no other attempt follows one that it refuses.
    fn admit<'a>(&'a self, guard: &'a Guard, call: Guarded<'a>) -> Result<Option<Admitted<'a>>> {
        let Some(breakers) = &guard.breakers else {
            return Ok(None);
        };
        let report = |change| self.note(breakers, change);
        match breakers.admit(call.id, instant(), &report) {
            Ok(pass) => Ok(Some(Admitted {
                target: self,
                breakers,
                id: call.id,
                pass: Some(pass),
            })),
            Err(wait) => {
                count(&self.counts.refused);
                let (key, name) = (&self.key, &breakers.plan.name);
                Err(Error::unavailable(format!(
                    "the circuit breaker `{name}` of {key} is open, for calls of it failed"
                ))
                .with_retry_after(wait))
            }
        }
    }

    async fn once<T>(
        &self,
        call: Guarded<'_>,
        limit: Limit,
        attempt: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        if call.is_timed {
            return attempt.await;
        }
        let Ok(answer) = tokio::time::timeout_at(limit.until.into(), attempt).await else {
            let by_policy = limit.timeout.filter(|_| limit.until < call.deadline);
            if by_policy.is_some() {
                count(&self.counts.timeouts);
            }
            return Err(self.late(call, by_policy));
        };
        answer
    }

    /// The error of an attempt that was cut off: of what is done once nobody can say whether it happened.
    fn late(&self, call: Guarded<'_>, timeout: Option<Duration>) -> Error {
        let (what, key) = (call.what, &self.key);
        let within = match timeout {
            Some(timeout) => format!("within the {} of its policy", Written(timeout)),
            None => "in time".to_owned(),
        };
        match call.nature {
            Nature::Once => Error::unknown_outcome(format!(
                "`{what}` of {key} did not answer {within} and may or may not have happened"
            )),
            Nature::Idempotent | Nature::Turn | Nature::Delivery => {
                Error::timeout(format!("`{what}` of {key} did not answer {within}"))
            }
        }
    }

    /// Takes a retry from the budget.
    fn pay(&self, guard: &Guard) -> bool {
        let is_paid = guard.budget.lock().retry(instant());
        if !is_paid {
            count(&self.counts.unpaid);
        }
        is_paid
    }

    /// Counts an attempt that kept its timeout itself and was cut off by it.
    pub fn count_timeout(&self) {
        count(&self.counts.timeouts);
    }
}

/// The pauses of a call; none where nothing is tried again.
fn schedule(guard: &Guard, call: &Guarded<'_>) -> Option<Schedule> {
    let plan = &guard.plan;
    let of_plan = plan
        .retry
        .as_ref()
        .map(|retry| Schedule::new(retry, instant()));
    let built_in = call.built_in.filter(|_| !plan.is_named);
    let schedule = of_plan.or_else(|| Some(Schedule::built_in(built_in?, instant())));
    schedule.filter(|_| call.is_repeatable)
}

fn may(guard: &Guard, call: &Guarded<'_>, failure: Failure) -> bool {
    match &guard.plan.retry {
        Some(retry) if !guard.plan.is_built_in => may_repeat(&retry.matching, call.nature, failure),
        _ => may_repeat_built_in(call.nature, failure),
    }
}

fn limit(guard: &Guard, call: &Guarded<'_>) -> Limit {
    let timeout = guard.plan.timeout;
    let time = timeout.or(call.built_in.map(|policy| policy.timeout));
    let until = time.map(|time| instant().after(time).min(call.deadline));
    Limit {
        timeout,
        until: until.unwrap_or(call.deadline),
    }
}

/// Waits for the next attempt; false where there is none, since what it is for ends.
async fn rest(pause: Duration, stop: Option<&CancellationToken>) -> bool {
    match stop {
        Some(stop) => crate::time::pause(stop, pause).await,
        None => {
            tokio::time::sleep(pause).await;
            true
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
