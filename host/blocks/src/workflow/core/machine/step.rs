//! A step of an instance's code: whether it is to run, and what becomes of where it came to.

use super::Machine;
use crate::{
    Backoff, Error, Kind as ErrorKind, Result,
    workflow::core::{
        context::Context,
        entry::{Kind, origin},
        item::Effect,
        meta::{Meta, Status},
        row::Change,
    },
};
use bytes::Bytes;
use std::time::Duration;

/// Steps in a row, each cut short by the end of the host, after which the instance stalls.
const TRIES: u32 = 3;
/// The pause before code is tried again that could not be run now.
const AGAIN: Duration = Duration::from_secs(1);
/// The rest before the second run of those that wait for nothing; it doubles with each, up to the last.
const REST: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60));

pub(in crate::workflow) type Answer = Result<Result<Bytes, String>>;

/// The point that the code came to.
pub(in crate::workflow) enum Step {
    Waits,
    Returned(Answer),
    HostStops,
}

/// The next thing to do after a step.
#[derive(Debug, PartialEq)]
pub(in crate::workflow) enum AfterStep {
    /// Persists what is new.
    Persist,
    /// Persists it, and then begins the instance anew with this input.
    Anew(Bytes),
}

impl Machine {
    /// Says whether the code is to run now; one that cannot go on stalls. `digest` is that of the app's component.
    pub fn wants_to_run(&mut self, digest: Option<&str>) -> bool {
        if self.meta.status != Status::Running || !self.is_behind {
            return false;
        }
        let tries = self.meta.tries;
        let spins = || {
            format!(
                "the host ended {tries} times while the code was in the same step; see `limits.stepFuel`"
            )
        };
        let overfull = self.overfull.take();
        let Some(reason) = overfull.or_else(|| (tries >= TRIES).then(spins)) else {
            return true;
        };
        let stored = self.context.lock().entries.len();
        self.stall(stored, reason, digest);
        false
    }

    /// Begins the code from its start: the context of its run, and its input.
    pub fn begin_code(&mut self) -> (Context, Bytes) {
        let entries = std::mem::take(&mut self.context.lock().entries);
        let input = entries.first().map(|entry| entry.payload.clone());
        let (limits, clock) = (self.limits.clone(), self.clock.clone());
        self.context = Context::new(&self.meta.id, self.meta.run, limits, entries, clock);
        (self.context.clone(), input.unwrap_or_default())
    }

    /// Takes up where the code came to in a step that began when the journal had `stored` entries.
    pub fn stepped(&mut self, stored: usize, step: Step, digest: Option<&str>) -> AfterStep {
        self.meta.tries = 0;
        let (custom, stop) = {
            let mut state = self.context.lock();
            (state.custom.take(), state.stop.clone())
        };
        if custom.is_some() {
            self.meta.custom = custom;
        }
        match (step, stop) {
            (Step::HostStops, _) => self.put_off(stored),
            (_, Some(reason)) => self.stall(stored, reason, digest),
            (Step::Waits, None) => self.is_behind = false,
            (Step::Returned(Ok(answer)), None) => return self.returned(stored, answer, digest),
            (Step::Returned(Err(error)), None) => self.fault(stored, &error, digest),
        }
        AfterStep::Persist
    }

    /// Forgets what the code asked for in this step; it will ask again.
    fn put_off(&mut self, stored: usize) {
        self.is_spent = true;
        self.context.lock().truncate(stored);
    }

    fn stall(&mut self, stored: usize, reason: String, digest: Option<&str>) {
        tracing::warn!(
            instance = self.meta.id,
            workflow = self.meta.name,
            "stalled: {reason}"
        );
        self.put_off(stored);
        let is_other = digest.is_some_and(|digest| digest != self.meta.digest);
        let hint = "; the app's component is another one than when it began";
        let hint = if is_other { hint } else { "" };
        self.meta.status = Status::Stalled;
        self.meta.failure = Some(format!("{reason}{hint}"));
    }

    /// The code has neither an answer nor a failure of its own: it trapped, span, or could not be started.
    fn fault(&mut self, stored: usize, error: &Error, digest: Option<&str>) {
        if matches!(error.kind(), ErrorKind::Exhausted | ErrorKind::Unavailable) {
            self.put_off(stored);
            self.later.push(Effect::Again(AGAIN));
        } else {
            self.stall(stored, error.message().to_owned(), digest);
        }
    }

    fn returned(
        &mut self,
        stored: usize,
        answer: Result<Bytes, String>,
        digest: Option<&str>,
    ) -> AfterStep {
        let (left, next) = {
            let mut state = self.context.lock();
            (state.left(), state.next_input.take())
        };
        let limit = self.limits.payload;
        let length = answer.as_ref().map_or_else(String::len, Bytes::len);
        if let Some(reason) = left {
            self.stall(stored, reason, digest);
        } else if length > limit {
            let reason = format!("the output has {length} bytes; at most {limit} are kept");
            self.stall(stored, reason, digest);
        } else if let (Ok(_), Some(input)) = (&answer, next) {
            return AfterStep::Anew(input);
        } else {
            self.answered(answer);
        }
        AfterStep::Persist
    }

    fn answered(&mut self, answer: Result<Bytes, String>) {
        match answer {
            Ok(output) => {
                self.push(Kind::Completed, output);
                self.end_as(Status::Completed);
            }
            Err(failure) => {
                let kind = Kind::Failed {
                    failure: failure.clone(),
                };
                self.push(kind, Bytes::new());
                self.meta.failure = Some(failure);
                self.end_as(Status::Failed);
            }
        }
    }

    /// Begins the instance anew: the journal's last entry, the next journal's first, and the events between are one
    /// transaction. All before it is kept. `seed` is the new run's.
    pub fn begin_anew(
        &mut self,
        tenant: &str,
        input: Bytes,
        seed: u128,
        digest: Option<String>,
    ) -> Result<()> {
        self.push(Kind::ContinuedAsNew, Bytes::new());
        let (last, events, is_idle) = {
            let state = self.context.lock();
            let is_idle = state.task_table.is_idle();
            (
                state.entries.last().cloned(),
                state.task_table.unprocessed(),
                is_idle,
            )
        };
        self.meta.idle_runs = if is_idle { self.meta.idle_runs + 1 } else { 0 };
        let (id, run) = (self.meta.id.clone(), self.meta.run);
        if let Some(last) = last {
            let (entry, _) = last.encode(&self.meta.hash)?;
            let index = last.index;
            self.changes.push(Change::Last { run, index, entry });
        }
        self.meta.run += 1;
        self.meta.next = 0;
        self.meta.hash = origin(tenant, &id, self.meta.run);
        if let Some(digest) = digest {
            self.meta.digest = digest;
        }
        self.flushed = 0;
        let (limits, clock) = (self.limits.clone(), self.clock.clone());
        self.context = Context::new(&id, self.meta.run, limits, Vec::new(), clock);
        self.push(started(&self.meta, seed), input);
        for (name, data) in events {
            self.push(Kind::EventReceived { name }, data);
        }
        let rest = rest(self.meta.idle_runs);
        self.later.push(Effect::Again(rest));
        Ok(())
    }
}

/// The first entry of a journal.
pub(in crate::workflow) fn started(meta: &Meta, seed: u128) -> Kind {
    Kind::Started {
        name: meta.name.clone(),
        app: meta.app.clone(),
        digest: meta.digest.clone(),
        seed,
        parent: meta.parent.clone(),
    }
}

/// The rest before the next of runs that wait for nothing.
fn rest(idle_runs: u32) -> Duration {
    match idle_runs {
        0 | 1 => Duration::ZERO,
        runs => REST.after(runs - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, rest};

    #[test]
    fn runs_that_wait_for_nothing_come_ever_slower() {
        let rests: Vec<_> = [0, 1, 2, 3, 4].map(|runs| rest(runs).as_millis()).into();
        assert_eq!(rests, [0, 0, 100, 200, 400]);
        assert_eq!(rest(u32::MAX), Duration::from_secs(60));
    }
}
