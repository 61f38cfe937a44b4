//! Activities: at least once, so many at a time, again after a failure as their policy says, and children's starts.

use super::{
    Call, Failure, Timestamp,
    directory::Sort,
    engine::{Engine, PAUSE},
    entry::{Entry, Kind, Parent, Retry},
    keys,
    management::Start,
    now, rows,
};
use crate::{Error, Kind as ErrorKind, Result, state::Condition};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// The row of an activity or a child that is to be started.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Row {
    /// The index of the entry that asks for it.
    pub entry: u32,
    pub attempts: u32,
    pub not_before: Timestamp,
}

/// What is to be done, by its row.
pub(super) struct Work {
    pub key: String,
    /// Absent where only the row is known.
    pub asked: Option<(Row, Entry, Origin)>,
}

/// The instance that asks.
#[derive(Clone)]
pub(super) struct Origin {
    pub id: String,
    pub app: String,
}

impl Work {
    pub fn kept(key: &str) -> Self {
        Work {
            key: key.to_owned(),
            asked: None,
        }
    }
}

impl Row {
    pub fn encode(self) -> Bytes {
        // A record of three numbers has no way to fail.
        serde_json::to_vec(&self).unwrap_or_default().into()
    }
}

/// What a row of work stands for.
struct Asked<'a> {
    key: &'a str,
    run: u32,
    origin: &'a Origin,
    input: &'a Bytes,
}

/// What became of an attempt.
enum Attempt {
    Done(Bytes),
    Failed {
        message: String,
        again: bool,
        timeout: bool,
    },
    /// The app could not take it now, which is no attempt.
    Busy,
}

impl Attempt {
    /// No other attempt would end otherwise.
    fn refused(error: &Error) -> Self {
        Attempt::Failed {
            message: told(error),
            again: false,
            timeout: false,
        }
    }
}

impl Engine {
    pub(super) fn dispatch(self: &Arc<Self>, work: Work) {
        if !self.is_running() || !self.begin_work(&work.key) {
            return;
        }
        let engine = self.clone();
        self.tasks.spawn(async move {
            let key = work.key.clone();
            while let Err(error) = engine.perform(&work).await {
                tracing::warn!("work of a workflow waits for its store: {}", error.chain());
                if !engine.pause(PAUSE).await {
                    break;
                }
            }
            engine.end_work(&key);
        });
    }

    fn begin_work(&self, key: &str) -> bool {
        let mut working = self.working.lock().unwrap_or_else(|lock| lock.into_inner());
        working.insert(key.to_owned())
    }

    fn end_work(&self, key: &str) {
        let mut working = self.working.lock().unwrap_or_else(|lock| lock.into_inner());
        working.remove(key);
    }

    async fn perform(self: &Arc<Self>, work: &Work) -> Result<()> {
        let asked = match &work.asked {
            Some((row, entry, origin)) => Some((*row, entry.clone(), origin.clone())),
            None => self.read_work(&work.key).await?,
        };
        let Some(((row, entry, origin), (_, run, _))) = asked.zip(of_work(&work.key)) else {
            return self.remove(&work.key).await;
        };
        let asked = Asked {
            key: &work.key,
            run,
            origin: &origin,
            input: &entry.payload,
        };
        match &entry.kind {
            Kind::ActivityScheduled { task, name, retry } => {
                self.try_activity(&asked, row, *task, name, retry).await
            }
            Kind::ChildStarted { task, name, id } => {
                self.begin_child(&asked, *task, name, id).await
            }
            _ => self.remove(&work.key).await,
        }
    }

    /// None: nobody waits for it any more.
    async fn read_work(&self, key: &str) -> Result<Option<(Row, Entry, Origin)>> {
        let Some(kept) = self.keeper.get(&self.caller(), key).await? else {
            return Ok(None);
        };
        let row: Row = serde_json::from_slice(&kept.value)
            .map_err(|error| Error::internal("a row of work").with_source(error))?;
        let Some((id, run, _)) = of_work(key) else {
            return Ok(None);
        };
        let Some((meta, _)) = self.meta(id).await? else {
            return Ok(None);
        };
        if meta.status.has_ended() || meta.run != run {
            return Ok(None);
        }
        let entry = self.read_entry(id, run, row.entry).await?;
        let origin = Origin {
            id: id.to_owned(),
            app: meta.app,
        };
        Ok(entry.map(|entry| (row, entry, origin)))
    }

    /// Again and again, until it is done, has failed for good, or is not wanted any more.
    async fn try_activity(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        mut row: Row,
        task: u32,
        name: &str,
        retry: &Retry,
    ) -> Result<()> {
        let (id, run) = (&asked.origin.id, asked.run);
        loop {
            let wait = Duration::from_millis(row.not_before.saturating_sub(now()));
            if !wait.is_zero() && !self.pause(wait).await || self.stopping().is_cancelled() {
                return Ok(());
            }
            let attempts = row.attempts + 1;
            let call = Call {
                name: name.to_owned(),
                workflow: id.clone(),
                key: format!("{id}/{run}/{task}"),
                attempt: attempts,
                input: asked.input.clone(),
            };
            let (kind, payload) = match self.attempt(asked.origin, call, retry).await {
                Attempt::Busy => {
                    row.not_before = now() + PAUSE.as_millis() as u64;
                    continue;
                }
                Attempt::Failed { again: true, .. } if attempts < retry.attempts => {
                    row.attempts = attempts;
                    row.not_before = now().saturating_add(interval(retry, attempts));
                    if !self.keep_attempt(asked.key, row).await? {
                        return Ok(());
                    }
                    continue;
                }
                Attempt::Failed {
                    message, timeout, ..
                } => (failed(task, attempts, message, timeout), Bytes::new()),
                Attempt::Done(output) => (Kind::ActivityCompleted { task, attempts }, output),
            };
            self.deliver(id, asked.key, run, kind, payload).await;
            return Ok(());
        }
    }

    /// False: it was cancelled, or its workflow has ended.
    async fn keep_attempt(&self, key: &str, row: Row) -> Result<bool> {
        let Some(kept) = self.keeper.get(&self.caller(), key).await? else {
            return Ok(false);
        };
        let condition = Condition::Matches(kept.etag);
        let put = rows::put_if(key.to_owned(), row.encode(), condition);
        match self.keeper.transact(&self.caller(), vec![put]).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn attempt(&self, origin: &Origin, call: Call, retry: &Retry) -> Attempt {
        let (offer, name) = match self.find(Sort::Activity, &call.name) {
            Ok(found) => found,
            Err(error) => return Attempt::refused(&error),
        };
        if let Err(error) = self.may_call(origin, offer.app.id().as_str()) {
            return Attempt::refused(&error);
        }
        let Ok(_flight) = self.flights.acquire().await else {
            return Attempt::Busy;
        };
        let run = offer.app.run_activity(Call { name, ..call });
        let answer = match retry.timeout {
            Some(limit) => tokio::time::timeout(limit, run).await.unwrap_or_else(|_| {
                let limit = limit.as_millis();
                Err(Error::timeout(format!("no answer within {limit} ms")))
            }),
            None => run.await,
        };
        match answer {
            Ok(answer) => self.answered(answer),
            Err(error) if matches!(error.kind(), ErrorKind::Exhausted | ErrorKind::Unavailable) => {
                Attempt::Busy
            }
            Err(error) => Attempt::Failed {
                message: told(&error),
                again: true,
                timeout: error.kind() == ErrorKind::Timeout,
            },
        }
    }

    fn answered(&self, answer: Result<Bytes, Failure>) -> Attempt {
        let most = self.settings.limits.payload;
        match answer {
            Ok(output) if output.len() > most => Attempt::refused(&Error::invalid(format!(
                "the answer has {} bytes; at most {most} are kept in a journal",
                output.len()
            ))),
            Ok(output) => Attempt::Done(output),
            Err(failure) => {
                let again = matches!(failure, Failure::Retryable(_));
                let (Failure::Retryable(message) | Failure::Permanent(message)) = failure;
                Attempt::Failed {
                    message,
                    again,
                    timeout: false,
                }
            }
        }
    }

    /// An app's workflows call other apps only where its manifest says so.
    fn may_call(&self, origin: &Origin, callee: &str) -> Result<()> {
        let Some(caller) = self.offer(&origin.app).filter(|_| callee != origin.app) else {
            return Ok(());
        };
        if caller.grants.invoke(callee) {
            return Ok(());
        }
        Err(Error::denied(format!(
            "app `{}` is not granted to invoke `{callee}`; add it to `grants: {{ invoke: [{callee}] }}` at {}",
            origin.app,
            caller.grants.source.short()
        )))
    }

    async fn begin_child(
        self: &Arc<Self>,
        asked: &Asked<'_>,
        task: u32,
        name: &str,
        id: &str,
    ) -> Result<()> {
        let (origin, run) = (asked.origin, asked.run);
        let parent = Parent {
            instance: origin.id.clone(),
            run,
            task,
        };
        let start = Start {
            id: Some(id.to_owned()),
            at: None,
        };
        let input = asked.input.clone();
        let begun = self.begin_instance(Some(origin), name, input, start, Some(parent));
        match begun.await {
            Ok(_) => self.remove(asked.key).await,
            Err(error) if is_final(&error) => {
                let failure = told(&error);
                let kind = Kind::ChildFailed { task, failure };
                self.deliver(&origin.id, asked.key, run, kind, Bytes::new())
                    .await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

/// As the SDK writes errors, so that a workflow can tell their kinds.
fn told(error: &Error) -> String {
    format!("{}: {}", error.kind(), error.message())
}

fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Invalid | ErrorKind::Conflict
    )
}

fn failed(task: u32, attempts: u32, failure: String, timeout: bool) -> Kind {
    Kind::ActivityFailed {
        task,
        attempts,
        failure,
        timeout,
    }
}

/// Before the attempt after so many.
fn interval(retry: &Retry, attempts: u32) -> u64 {
    let exponent = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    let first = retry.first_interval.as_millis() as f64;
    let most = retry.max_interval.as_millis() as f64;
    (first * retry.factor.powi(exponent)).min(most) as u64
}

fn of_work(key: &str) -> Option<(&str, u32, u32)> {
    keys::parse_row(key, &keys::all_works())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_grow_to_their_bound() {
        let retry = Retry {
            first_interval: Duration::from_millis(100),
            factor: 3.0,
            max_interval: Duration::from_millis(500),
            ..Retry::default()
        };
        let all: Vec<_> = (1..5).map(|attempts| interval(&retry, attempts)).collect();
        assert_eq!(all, [100, 300, 500, 500]);
        assert_eq!(interval(&retry, u32::MAX), 500);
    }
}
