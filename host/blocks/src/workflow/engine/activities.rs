//! Activities: at least once, so many at a time, again after a failure as their policy says, and children's starts.

use super::{
    Engine, PAUSE,
    alive::is_full,
    directory::Sort,
    management::Start,
    work::{Asked, Origin, SMALL, Work, of_work},
};
use crate::{
    Error, Kind as ErrorKind, Result, Trace,
    metrics::End,
    workflow::{
        ActivityCall, Failure,
        core::{
            attempt::{AfterAttempt, Outcome, Row},
            entry::{Kind, Parent, Retry},
            row::Row as Rows,
        },
        now,
        store::commit,
    },
};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

/// Bytes of a failure's text.
const TEXT: usize = 4 << 10;

/// An attempt that has ended. A large output keeps its flight until it is kept.
struct Attempt {
    outcome: Outcome,
    _flight: Option<OwnedSemaphorePermit>,
}

impl From<Outcome> for Attempt {
    fn from(outcome: Outcome) -> Self {
        Attempt {
            outcome,
            _flight: None,
        }
    }
}

impl Attempt {
    /// A failure that no other attempt would change.
    fn refused(error: &Error) -> Self {
        let (message, again, timeout) = (reported(error), false, false);
        Attempt::from(Outcome::Failed {
            message,
            again,
            timeout,
        })
    }

    fn busy() -> Self {
        Attempt::from(Outcome::Busy)
    }
}

/// One attempt of an activity; its input is read when it begins.
fn attempt(workflow: &str, run: u32, task: u32, name: &str, attempt: u32) -> ActivityCall {
    ActivityCall {
        name: name.to_owned(),
        workflow: workflow.to_owned(),
        key: format!("{workflow}/{run}/{task}"),
        attempt,
        input: Bytes::new(),
    }
}

/// A row whose work is under way, until this goes, by a panic as well.
struct Working<'a>(&'a Engine, &'a str);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.working.lock().remove(self.1);
    }
}

impl Engine {
    pub(super) fn dispatch(self: &Arc<Self>, work: Work) {
        if !self.is_running() || !self.begin_work(&work.key) {
            return;
        }
        if let Some(parent) = work.parent_app() {
            return self.bear_later(&parent, work);
        }
        let engine = self.clone();
        self.tasks
            .spawn(async move { engine.perform_whole(work).await });
    }

    /// Does what a row asks for, until that is done or the host stops.
    pub(super) async fn perform_whole(self: &Arc<Self>, work: Work) {
        let _working = Working(self, &work.key);
        while let Err(error) = self.perform(&work).await {
            tracing::warn!("work of a workflow waits for its store: {}", error.chain());
            if !self.pause(PAUSE).await {
                break;
            }
        }
    }

    fn begin_work(&self, key: &str) -> bool {
        let mut working = self.working.lock();
        working.insert(key.to_owned())
    }

    async fn perform(self: &Arc<Self>, work: &Work) -> Result<()> {
        let order = match &work.asked {
            Some(order) => Some(order.clone()),
            None if !self.claim(&work.key).await? => return Ok(()),
            None => self.read_work(&work.key).await?,
        };
        let Some((order, (_, run, _))) = order.zip(of_work(&work.key)) else {
            return self.remove(&work.key).await;
        };
        let asked = Asked {
            key: &work.key,
            run,
            order: &order,
        };
        match &order.kind {
            Kind::ActivityScheduled { task, name, retry } => {
                self.try_activity(&asked, *task, name, retry).await
            }
            Kind::ChildStarted { task, name, id } => {
                self.begin_child(&asked, *task, name, id).await
            }
            _ => self.remove(&work.key).await,
        }
    }

    /// Tries an activity again and again, until it is done, has failed for good, or is not wanted any more.
    async fn try_activity(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        task: u32,
        name: &str,
        retry: &Retry,
    ) -> Result<()> {
        let (id, run) = (&asked.order.origin.id, asked.run);
        let mut row = asked.order.row;
        loop {
            let wait = Duration::from_millis(row.not_before.saturating_sub(now()));
            if !wait.is_zero() && !self.pause(wait).await || self.stopping().is_cancelled() {
                return Ok(());
            }
            let call = attempt(id, run, task, name, row.attempts + 1);
            let start = Instant::now();
            let Attempt { outcome, _flight } = self.attempt(asked, call, retry).await;
            self.count_attempt(name, &outcome, start.elapsed(), asked.order.origin.trace());
            match row.after(task, retry, outcome, now()) {
                AfterAttempt::Wait(later) => row = later,
                AfterAttempt::Persist(later) => match self.persist_attempt(asked.key, later).await?
                {
                    Some(stored) => row = stored,
                    None => return Ok(()),
                },
                AfterAttempt::End(kind, payload) => {
                    let work = Rows::Work { run, task };
                    self.deliver(id, work, run, kind, payload).await;
                    return Ok(());
                }
            }
        }
    }

    fn count_attempt(&self, name: &str, outcome: &Outcome, took: Duration, trace: Option<Trace>) {
        let end = match outcome {
            Outcome::Done(_) => End::Completed,
            Outcome::Failed { timeout: true, .. } => End::CutShort,
            Outcome::Failed { .. } => End::Failed,
            Outcome::Busy => End::Stalled,
        };
        if let Ok((offer, _)) = self.find(Sort::Activity, name) {
            offer.app.meters().activity_ended(end, took, trace);
        }
    }

    /// The row as it is to go on; none if it was cancelled, or its workflow has ended.
    ///
    /// Whoever else changed it meanwhile, another host or the late write of one that has died, may not be there to go on:
    /// what he wrote is taken over, with a pause in which he may come to an end.
    async fn persist_attempt(&self, key: &str, mut row: Row) -> Result<Option<Row>> {
        loop {
            let Some(stored) = self.internal_store.get(&self.caller(), key).await? else {
                return Ok(None);
            };
            let put = commit::attempt(key, row, stored.etag);
            match self
                .internal_store
                .transact(&self.caller(), vec![put])
                .await
            {
                Ok(_) => return Ok(Some(row)),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
            if !self.pause(PAUSE).await {
                return Ok(None);
            }
            let Some(stored) = self.internal_store.get(&self.caller(), key).await? else {
                return Ok(None);
            };
            row.join(Row::decode(&stored.value)?);
        }
    }

    async fn attempt(&self, asked: &Asked<'_>, call: ActivityCall, retry: &Retry) -> Attempt {
        let origin = &asked.order.origin;
        let (offer, name) = match self.find(Sort::Activity, &call.name) {
            Ok(found) => found,
            Err(error) => return Attempt::refused(&error),
        };
        if let Err(error) = self.may_call(origin, offer.app.id().as_str()) {
            return Attempt::refused(&error);
        }
        let flights = self.flights.of(offer.app.id().as_str());
        let Ok(flight) = flights.acquire_owned().await else {
            return Attempt::busy();
        };
        let input = match self.input(asked).await {
            Ok(input) => input,
            Err(error) if error.kind() == ErrorKind::NotFound => return Attempt::refused(&error),
            Err(_) => return Attempt::busy(),
        };
        let call = ActivityCall {
            name,
            input,
            ..call
        };
        let run = offer.app.run_activity(origin.span(), call);
        let answer = match retry.timeout {
            Some(limit) => tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
                let limit = limit.as_millis();
                Err(Error::timeout(format!("no answer within {limit} ms")))
            }),
            None => run.await,
        };
        match answer {
            Ok(answer) => self.answered(answer, flight),
            Err(error) if matches!(error.kind(), ErrorKind::Exhausted | ErrorKind::Unavailable) => {
                Attempt::busy()
            }
            Err(error) => Attempt::from(Outcome::Failed {
                message: reported(&error),
                again: true,
                timeout: error.kind() == ErrorKind::Timeout,
            }),
        }
    }

    fn answered(&self, answer: Result<Bytes, Failure>, flight: OwnedSemaphorePermit) -> Attempt {
        let limit = self.settings.limits.payload;
        match answer {
            Ok(output) if output.len() > limit => Attempt::refused(&Error::invalid(format!(
                "the answer has {} bytes; at most {limit} are kept in a journal",
                output.len()
            ))),
            Ok(output) => {
                let _flight = (output.len() > SMALL).then_some(flight);
                let outcome = Outcome::Done(output);
                Attempt { outcome, _flight }
            }
            Err(failure) => {
                let again = matches!(failure, Failure::Retryable(_));
                let (Failure::Retryable(mut message) | Failure::Permanent(mut message)) = failure;
                message.truncate(message.floor_char_boundary(TEXT));
                let timeout = false;
                Attempt::from(Outcome::Failed {
                    message,
                    again,
                    timeout,
                })
            }
        }
    }

    /// An app's workflows call other apps only where its manifest says so.
    fn may_call(&self, origin: &Origin, callee: &str) -> Result<()> {
        let Some(caller) = self.offer(&origin.app).filter(|_| callee != origin.app) else {
            return Ok(());
        };
        if caller.app.grants().invoke(callee) {
            return Ok(());
        }
        Err(Error::denied(format!(
            "app `{}` is not granted to invoke `{callee}`; add it to `grants: {{ invoke: [{callee}] }}` at {}",
            origin.app,
            caller.app.grants().source.short()
        )))
    }

    async fn begin_child(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        task: u32,
        name: &str,
        id: &str,
    ) -> Result<()> {
        let (origin, run) = (&asked.order.origin, asked.run);
        let parent = Parent {
            instance: origin.id.clone(),
            run,
            task,
        };
        let start = Start {
            id: Some(id.to_owned()),
            at: None,
        };
        let input = self.input(asked).await?;
        let begun = self.begin_instance(
            origin.span().child(),
            Some((origin, parent)),
            name,
            input,
            start,
        );
        match begun.await {
            Ok(_) => self.remove(asked.key).await,
            Err(error) if is_final(&error) => {
                let failure = reported(&error);
                let kind = Kind::ChildFailed { task, failure };
                let work = Rows::Work { run, task };
                self.deliver(&origin.id, work, run, kind, Bytes::new())
                    .await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// The words of an error as the SDK writes them, so that a workflow can tell their kinds.
fn reported(error: &Error) -> String {
    format!("{}: {}", error.kind(), error.message())
}

fn is_final(error: &Error) -> bool {
    let kinds = [
        ErrorKind::NotFound,
        ErrorKind::Denied,
        ErrorKind::Invalid,
        ErrorKind::Conflict,
    ];
    is_full(error) || kinds.contains(&error.kind())
}
