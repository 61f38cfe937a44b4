//! The functions that a workflow's code calls. Everything that the code is told is written down, and told the same when
//! it runs again.
use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use serde::{Serialize, de::DeserializeOwned};

use super::value;
use crate::contract::workflows::wythe::blocks::workflow_context as host;
use crate::error::from_text;
use crate::{Error, Kind, Result, milliseconds};

/// The number of times that an activity is tried: by default once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry(host::RetryPolicy);

impl Retry {
    /// A policy of so many attempts at most, a second after the first, then after twice as long each time, up to a
    /// minute.
    pub fn times(attempts: u32) -> Self {
        Retry(host::RetryPolicy {
            attempts,
            first_interval: 1_000,
            factor: 2.0,
            max_interval: 60_000,
            timeout: None,
        })
    }

    /// Sets the interval after the first attempt.
    pub fn after(mut self, interval: Duration) -> Self {
        self.0.first_interval = milliseconds(interval);
        self
    }

    /// Sets the factor by which each interval is longer than the one before, at least 1, up to a bound.
    pub fn growing(mut self, factor: f64, max_interval: Duration) -> Self {
        (self.0.factor, self.0.max_interval) = (factor, milliseconds(max_interval));
        self
    }

    /// Sets the timeout of one attempt.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(milliseconds(timeout));
        self
    }
}

/// Something that will complete with a `T`.
#[derive(Debug)]
pub struct Task<T> {
    number: u32,
    output: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Task<T> {
    fn new(number: u32) -> Self {
        Task {
            number,
            output: PhantomData,
        }
    }

    /// Waits for it, for as long as that takes. An error has the kind that the activity or child gave it; a timeout is of
    /// kind `timeout`, and what was cancelled of kind `conflict`.
    pub fn wait(&self) -> Result<T> {
        match host::outcome(self.number) {
            Ok(output) => value(&output),
            Err(host::Failure::Failed(failure)) => Err(from_text(&failure)),
            Err(host::Failure::Timeout) => Err(Error::new(Kind::Timeout, "not in time")),
            Err(host::Failure::Cancelled) => Err(Error::conflict("it was cancelled")),
        }
    }

    /// Cancels the task: nobody waits for it any more. What has completed already stays as it is.
    pub fn cancel(&self) {
        host::cancel(self.number);
    }
}

/// A task of any kind.
pub trait Awaited {
    /// The number by which the host knows it.
    fn number(&self) -> u32;
}

impl<T> Awaited for Task<T> {
    fn number(&self) -> u32 {
        self.number
    }
}

/// Tasks that are waited for together.
pub trait Join {
    type Output;

    /// Waits for all of them; the first error by their order, if there is one.
    fn join(self) -> Result<Self::Output>;
}

impl<T: DeserializeOwned> Join for Vec<Task<T>> {
    type Output = Vec<T>;

    fn join(self) -> Result<Vec<T>> {
        let outcomes: Vec<_> = self.iter().map(Task::wait).collect();
        outcomes.into_iter().collect()
    }
}

impl<A: DeserializeOwned, B: DeserializeOwned> Join for (Task<A>, Task<B>) {
    type Output = (A, B);

    fn join(self) -> Result<(A, B)> {
        let (a, b) = (self.0.wait(), self.1.wait());
        Ok((a?, b?))
    }
}

impl<A: DeserializeOwned, B: DeserializeOwned, C: DeserializeOwned> Join
    for (Task<A>, Task<B>, Task<C>)
{
    type Output = (A, B, C);

    fn join(self) -> Result<(A, B, C)> {
        let (a, b, c) = (self.0.wait(), self.1.wait(), self.2.wait());
        Ok((a?, b?, c?))
    }
}

/// The journal of a workflow, as its code sees it. `SystemTime`, `Instant`, random numbers and the order of a `HashMap`
/// come from it too.
#[derive(Clone, Debug)]
pub struct Context {
    retry: Option<Retry>,
    continued: Rc<Cell<bool>>,
}

impl Context {
    pub(super) fn new() -> Self {
        Context {
            retry: None,
            continued: Rc::default(),
        }
    }

    pub(super) fn has_continued(&self) -> bool {
        self.continued.get()
    }

    /// The same context, but that activities are tried as this policy says.
    pub fn with_retry(&self, retry: Retry) -> Self {
        Context {
            retry: Some(retry),
            ..self.clone()
        }
    }

    /// Has an activity done, of this app or of another one, and waits for its answer.
    pub fn call<O: DeserializeOwned>(
        &self,
        activity: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<O> {
        self.start(activity, input)?.wait()
    }

    /// Begins an activity; others can be begun before it is waited for.
    pub fn start<O: DeserializeOwned>(
        &self,
        activity: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Task<O>> {
        let input = serde_json::to_vec(input)?;
        let retry = self.retry.map(|retry| retry.0);
        let number = host::call_activity(activity, &input, retry);
        Ok(Task::new(number))
    }

    /// Runs another workflow, and waits for its output.
    pub fn child<O: DeserializeOwned>(
        &self,
        workflow: &str,
        input: &(impl Serialize + ?Sized),
    ) -> Result<O> {
        self.start_child(workflow, None, input)?.wait()
    }

    /// Begins another workflow, with this id or one that is made from this instance's.
    pub fn start_child<O: DeserializeOwned>(
        &self,
        workflow: &str,
        id: Option<&str>,
        input: &(impl Serialize + ?Sized),
    ) -> Result<Task<O>> {
        let input = serde_json::to_vec(input)?;
        let number = host::start_child(workflow, &input, id);
        Ok(Task::new(number))
    }

    /// Waits so long, whatever becomes of the host meanwhile.
    pub fn sleep(&self, duration: Duration) -> Result<()> {
        self.timer(duration).wait()
    }

    /// Completes after so long.
    pub fn timer(&self, duration: Duration) -> Task<()> {
        Task::new(host::start_timer(milliseconds(duration)))
    }

    /// Waits for the next event of this name.
    pub fn wait_event<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        self.event(name, None).wait()
    }

    /// Does what [`wait_event`](Self::wait_event) does, but waits no longer than this; none where none came.
    pub fn wait_event_for<T: DeserializeOwned>(
        &self,
        name: &str,
        limit: Duration,
    ) -> Result<Option<T>> {
        match self.event(name, Some(limit)).wait() {
            Err(error) if error.kind() == Kind::Timeout => Ok(None),
            other => other.map(Some),
        }
    }

    /// Completes with the next event of this name that no other task has taken.
    pub fn event<T: DeserializeOwned>(&self, name: &str, limit: Option<Duration>) -> Task<T> {
        Task::new(host::wait_event(name, limit.map(milliseconds)))
    }

    /// Waits for all tasks of a list or a tuple; the first error by their order, if there is one.
    pub fn join<T: Join>(&self, tasks: T) -> Result<T::Output> {
        tasks.join()
    }

    /// Waits for one of them, and returns its place in the list. Of several that have completed, the first to do so.
    pub fn select(&self, tasks: &[&dyn Awaited]) -> usize {
        let numbers: Vec<_> = tasks.iter().map(|task| task.number()).collect();
        host::wait(&numbers) as usize
    }

    /// The id of this instance.
    pub fn instance(&self) -> String {
        host::instance()
    }

    /// The time of what the code has waited for last.
    pub fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// True while answers come from the journal. What is logged meanwhile was logged before, and is left out.
    pub fn is_replaying(&self) -> bool {
        host::is_replaying()
    }

    /// Sets the text that `get` tells of this instance, at most 4 KiB.
    pub fn set_status(&self, status: &str) {
        host::set_status(status);
    }

    /// True for instances that have not yet come to this place, false for those that were here before the code changed.
    pub fn patched(&self, change: &str) -> bool {
        host::patched(change)
    }

    /// Begins anew with this input and an empty journal: `return ctx.continue_as_new(&next)`.
    pub fn continue_as_new<O>(&self, input: &(impl Serialize + ?Sized)) -> Result<O> {
        host::continue_as_new(&serde_json::to_vec(input)?);
        self.continued.set(true);
        Err(Error::conflict("the instance begins anew"))
    }
}
