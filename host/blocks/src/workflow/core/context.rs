//! The calls of a workflow's code: each command is written down, and on a replay compared with the journal and answered
//! from it.

use super::{
    Clock,
    entry::{Entry, Kind, Retry},
    names,
    replay::State,
    task_table::Outcome,
};
use crate::workflow::{Limits, Timestamp};
use crate::{Error, Result, time::milliseconds};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use sha2::{Digest, Sha256};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Something that will complete: the number of the command that asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task(pub(in crate::workflow) u32);

impl Task {
    /// The number that [`Context::task`] takes.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Fuel of a call to the host; each byte that it passes costs one more.
const CALL: u64 = 1_000;
/// Fuel of each task of a list, and of each random number.
const TASK: u64 = 100;
const NUMBER: u64 = 500;

/// The price of a host call, and whether the code waited in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// The cost so far in units of fuel.
    pub cost: u64,
    /// Another step of the code begins.
    pub is_step: bool,
}

/// One run of a workflow's code over its journal. An error of its functions ends the run: the code must not go on.
#[derive(Clone)]
pub struct Context(Arc<Run>);

struct Run {
    instance: String,
    number: u32,
    limits: Limits,
    clock: Clock,
    state: Mutex<State>,
    /// The code waits for what has not completed.
    blocked: Notify,
    /// Something completed.
    changed: Notify,
    /// Fuel for what the host did since it was last settled.
    cost: AtomicU64,
    /// The code has waited since then.
    has_waited: AtomicBool,
}

impl Context {
    pub(in crate::workflow) fn new(
        instance: &str,
        number: u32,
        limits: Limits,
        entries: Vec<Entry>,
        clock: Clock,
    ) -> Self {
        Context(Arc::new(Run {
            instance: instance.to_owned(),
            number,
            limits,
            clock: clock.clone(),
            state: Mutex::new(State::new(entries, clock)),
            blocked: Notify::new(),
            changed: Notify::new(),
            cost: AtomicU64::new(0),
            has_waited: AtomicBool::new(false),
        }))
    }

    /// A context of no instance, for code that only says which workflows it has.
    pub fn empty() -> Self {
        Context::new("", 0, Limits::default(), Vec::new(), Arc::new(|| 0))
    }

    pub(in crate::workflow) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// Resolves when the code has come to a wait that nothing answers yet.
    pub(in crate::workflow) async fn blocked(&self) {
        self.0.blocked.notified().await;
    }

    /// Lets the code look again.
    pub(in crate::workflow) fn go_on(&self) {
        self.0.changed.notify_waiters();
    }

    /// Puts bytes that the host works on for the code on its bill.
    pub fn spend(&self, bytes: usize) {
        self.0.cost.fetch_add(bytes as u64, Relaxed);
    }

    /// The price of the host call that ends now.
    pub fn settle(&self) -> Price {
        Price {
            cost: CALL + self.0.cost.swap(0, Relaxed),
            is_step: self.0.has_waited.swap(false, Relaxed),
        }
    }

    pub fn instance(&self) -> &str {
        &self.0.instance
    }

    /// A task that this run of the code has asked for.
    pub fn task(&self, number: u32) -> Result<Task> {
        let mut state = self.lock();
        if number < state.next_task() {
            return Ok(Task(number));
        }
        Err(state.stop(format!(
            "the code asks for task {number}, which it never began"
        )))
    }

    /// Tasks that this run of the code has asked for, no more of them than an instance can have.
    pub fn tasks(&self, numbers: &[u32]) -> Result<Vec<Task>> {
        let limit = self.0.limits.entries;
        if numbers.len() > limit {
            return Err(self.lock().stop(format!(
                "the code waits for {} tasks at once; a journal has at most {limit} entries",
                numbers.len()
            )));
        }
        let begun = self.lock().next_task();
        match numbers.iter().find(|number| **number >= begun) {
            Some(strange) => self.task(*strange).map(|task| vec![task]),
            None => Ok(numbers.iter().copied().map(Task).collect()),
        }
    }

    pub fn activity(&self, name: &str, input: Bytes, retry: Option<Retry>) -> Result<Task> {
        self.spend(name.len() + input.len());
        let mut state = self.lock();
        state.check(names::check_name("an activity", name))?;
        let retry = retry.unwrap_or_default();
        if retry.attempts == 0 || !retry.factor.is_finite() || retry.factor < 1.0 {
            let bad = "a retry policy needs at least 1 attempt and a factor of at least 1";
            return Err(state.stop(format!("activity `{name}`: {bad}")));
        }
        let name = name.to_owned();
        let kind = |task| Kind::ActivityScheduled { task, name, retry };
        state.command(&self.0.limits, kind, input)
    }

    /// The id is the child's own; where none is given it is made from this instance's.
    pub fn child(&self, name: &str, input: Bytes, id: Option<&str>) -> Result<Task> {
        self.spend(name.len() + input.len() + id.map_or(0, str::len));
        let mut state = self.lock();
        state.check(names::check_name("a workflow", name))?;
        let task = state.next_task();
        let own = format!("{}:{}:{task}", self.0.instance, self.0.number);
        let id = id.map_or(own, str::to_owned);
        state.check(names::check_id(&id))?;
        let name = name.to_owned();
        let kind = |task| Kind::ChildStarted { task, name, id };
        state.command(&self.0.limits, kind, input)
    }

    pub fn sleep(&self, duration: Duration) -> Result<Task> {
        let duration = milliseconds(duration);
        let due = (self.0.clock)().saturating_add(duration);
        let kind = |task| Kind::TimerCreated {
            task,
            duration,
            due,
        };
        self.lock().command(&self.0.limits, kind, Bytes::new())
    }

    pub fn event(&self, name: &str, timeout: Option<Duration>) -> Result<Task> {
        self.spend(name.len());
        let mut state = self.lock();
        state.check(names::check_name("an event", name))?;
        let (name, timeout) = (name.to_owned(), timeout.map(milliseconds));
        let due = timeout.map(|timeout| (self.0.clock)().saturating_add(timeout));
        let kind = |task| Kind::EventWaited {
            task,
            name,
            timeout,
            due,
        };
        state.command(&self.0.limits, kind, Bytes::new())
    }

    /// Cancels a task; one that has completed already stays as it is.
    pub fn cancel(&self, of: Task) -> Result<()> {
        let kind = |task| Kind::Cancelled { task, of: of.0 };
        let mut state = self.lock();
        state.command(&self.0.limits, kind, Bytes::new())?;
        Ok(())
    }

    /// Waits for the task's completion, for as long as that takes.
    pub async fn wait(&self, task: Task) -> Result<Outcome> {
        self.select(&[task]).await?;
        let state = self.lock();
        let completion = state.task_table.completion(task.0);
        let completion = completion.map(|(_, outcome)| outcome.clone());
        if let Some(Outcome::Done(value)) = &completion {
            self.spend(value.len());
        }
        completion.ok_or_else(|| Error::internal("a task that completed has no outcome"))
    }

    /// Waits for one of them; of several that have completed, the one that did so first.
    ///
    /// The code's next step begins where it really waited, or did so when the journal was written. What has completed
    /// already can be asked for again and again, and is no step.
    pub async fn select(&self, tasks: &[Task]) -> Result<usize> {
        let cost = tasks.len() as u64 * TASK;
        self.0.cost.fetch_add(cost, Relaxed);
        let mut waited = false;
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let first = self.lock().first(tasks)?;
            if let Some((first, had_waited)) = first {
                if waited || had_waited {
                    self.0.has_waited.store(true, Relaxed);
                    self.lock().step_bytes = 0;
                }
                return Ok(first);
            }
            waited = true;
            self.0.blocked.notify_one();
            changed.await;
        }
    }

    /// The time of the latest completion that the code has seen.
    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// A random number, the same at the same place on each run.
    pub fn random(&self) -> u64 {
        self.0.cost.fetch_add(NUMBER, Relaxed);
        let (seed, place) = self.lock().next_number();
        let bytes = numbers(seed, b"code", place);
        u64::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default())
    }

    /// The seed of everything random in a run.
    pub fn seed(&self) -> u128 {
        self.lock().seed
    }

    /// True while answers come from the journal.
    pub fn is_replaying(&self) -> bool {
        self.lock().is_replaying()
    }

    pub fn set_status(&self, status: &str) -> Result<()> {
        self.spend(status.len());
        let mut state = self.lock();
        if status.len() > self.0.limits.status {
            let (length, limit) = (status.len(), self.0.limits.status);
            return Err(state.stop(format!(
                "a custom status of {length} bytes; at most {limit} are kept"
            )));
        }
        state.custom = Some(status.to_owned());
        Ok(())
    }

    /// True where the journal has no command after this place, and wherever it was true on an earlier run.
    pub fn patched(&self, change: &str) -> Result<bool> {
        self.spend(change.len());
        let mut state = self.lock();
        state.check(names::check_name("a change", change))?;
        state.patched(&self.0.limits, change)
    }

    /// Sets the next input: when the code returns, the instance begins anew with it and an empty journal.
    pub fn continue_as_new(&self, input: Bytes) -> Result<()> {
        self.spend(input.len());
        let mut state = self.lock();
        state.check_size(&self.0.limits, &"the next input", input.len())?;
        state.next_input = Some(input);
        Ok(())
    }
}

/// The 32 bytes at a place of the sequence that a seed and a use stand for.
pub fn numbers(seed: u128, of: &[u8], place: u64) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(seed.to_be_bytes());
    hasher.update(of);
    hasher.update(place.to_be_bytes());
    hasher.finalize().into()
}
