//! An instance in memory: its record, its journal, and its code where that has come to a wait.

use super::{
    code::{Code, Step},
    context::Context,
    engine::{Engine, Item},
    entry::{Entry, Kind},
    management::random,
    meta::{Meta, Status},
    rows,
    shares::Room,
};
use crate::{
    Error, Kind as ErrorKind, Result,
    state::{Etag, Operation},
};
use bytes::Bytes;
use std::sync::Arc;

/// Steps in a row, each cut short by the end of the host, after which the instance stalls.
const TRIES: u32 = 3;

pub(super) struct Live {
    pub meta: Meta,
    pub(super) engine: Arc<Engine>,
    pub(super) context: Context,
    pub(super) code: Option<Code>,
    /// The record as it is kept, and its version.
    pub(super) kept: Meta,
    pub(super) etag: Etag,
    /// Entries that are kept.
    pub(super) flushed: usize,
    /// Rows that go with the next entries.
    pub(super) rows: Vec<Operation>,
    /// True if there may be a row that says that the code is behind; `is_behind` says whether it is.
    pub(super) has_ready: bool,
    pub(super) is_behind: bool,
    /// It is not to be used any more.
    is_spent: bool,
    /// The reason why it has no room for what it is told.
    overfull: Option<String>,
    /// The room for the bytes of the journal.
    room: Room,
}

impl Live {
    /// `room` is for the journal's bytes.
    pub fn new(
        engine: Arc<Engine>,
        (meta, etag): (Meta, Etag),
        entries: Vec<Entry>,
        room: Room,
    ) -> Self {
        let flushed = entries.len();
        let limits = engine.settings.limits.clone();
        Live {
            context: Context::new(&meta.id, meta.run, limits, entries),
            engine,
            kept: meta.clone(),
            meta,
            etag,
            code: None,
            flushed,
            rows: Vec::new(),
            has_ready: true,
            is_behind: false,
            is_spent: false,
            overfull: None,
            room,
        }
    }

    /// Returns whether it is worth a place in memory: its code waits there, and its journal has room.
    pub fn is_at_work(&mut self) -> bool {
        let waits = self.code.is_some() && !self.is_spent && self.meta.status == Status::Running;
        waits && self.has_room()
    }

    /// Takes room for what the journal has grown by, if there is some.
    fn has_room(&mut self) -> bool {
        let (app, bytes) = (&self.meta.app, self.meta.bytes);
        self.engine.grow_room(app, &mut self.room, bytes)
    }

    pub(super) fn push(&mut self, kind: Kind, payload: Bytes) {
        self.context.lock().push(kind, payload);
        self.is_behind = true;
    }

    /// Writes down what the instance is told, for the next flush. An error is for who told it.
    pub fn accept(&mut self, item: Item) -> Result<()> {
        match item {
            Item::Run => self.is_behind = true,
            Item::Completed {
                key,
                run,
                kind,
                payload,
            } => {
                let task = kind.task().unwrap_or_default();
                // What is completed already, or of an earlier run, is known: only its row is left.
                if run == self.meta.run && self.context.lock().board.is_open(task) {
                    let (kind, payload) = self.fitting(kind, payload);
                    self.push(kind, payload);
                } else {
                    self.rows.push(rows::delete(key));
                }
            }
            Item::Fired { key, run, task } => self.fire(key, run, task),
            Item::Event { name, data } => self.receive(name, data)?,
            Item::Suspend { reason } => self.suspend(reason)?,
            Item::Resume { reason } => self.resume(reason)?,
            Item::Terminate { output } => {
                self.code = None;
                self.push(Kind::Terminated, output);
                self.end(Status::Terminated);
            }
        }
        Ok(())
    }

    /// An answer that the journal has no room for is none: its task fails, and the instance stalls, so that somebody sees
    /// it before the code goes on.
    fn fitting(&mut self, kind: Kind, payload: Bytes) -> (Kind, Bytes) {
        let most = self.engine.settings.limits.journal_bytes;
        let more = payload.len();
        if more == 0 || self.context.lock().bytes + more <= most {
            return (kind, payload);
        }
        let failure = format!(
            "an answer of {more} bytes has no room in the journal, which has at most {most}; use continue-as-new before that"
        );
        self.overfull = Some(failure.clone());
        let kind = match kind {
            Kind::ActivityCompleted { task, attempts } => Kind::ActivityFailed {
                task,
                attempts,
                failure,
                timeout: false,
            },
            Kind::ChildCompleted { task } => Kind::ChildFailed { task, failure },
            other => other,
        };
        (kind, Bytes::new())
    }

    fn fire(&mut self, key: String, run: u32, task: Option<u32>) {
        let is_current = run == self.meta.run;
        match task {
            Some(task) if is_current && self.context.lock().board.is_open(task) => {
                self.push(Kind::TimerFired { task }, Bytes::new());
            }
            None if is_current && self.meta.status == Status::Pending => {
                self.push(Kind::Begun, Bytes::new());
                self.meta.status = Status::Running;
                self.rows.push(rows::delete(key));
            }
            _ => self.rows.push(rows::delete(key)),
        }
    }

    fn receive(&mut self, name: String, data: Bytes) -> Result<()> {
        let limits = &self.engine.settings.limits;
        let ((waiting, bytes), length, kept) = {
            let state = self.context.lock();
            (state.board.buffered(), state.entries.len(), state.bytes)
        };
        let id = &self.meta.id;
        if waiting >= limits.events || bytes + data.len() > limits.event_bytes {
            return Err(Error::exhausted(format!(
                "instance `{id}` has {waiting} events of {bytes} bytes that it has not waited for; at most {} of {} bytes are kept",
                limits.events, limits.event_bytes
            )));
        }
        if kept + data.len() > limits.journal_bytes {
            return Err(Error::exhausted(format!(
                "the journal of instance `{id}` has {kept} bytes; at most {} are kept",
                limits.journal_bytes
            )));
        }
        if length >= limits.entries {
            return Err(Error::exhausted(format!(
                "the journal of instance `{id}` has {length} entries, which is the most"
            )));
        }
        self.push(Kind::EventReceived { name }, data);
        Ok(())
    }

    fn suspend(&mut self, reason: String) -> Result<()> {
        match self.meta.status {
            Status::Suspended => return Ok(()),
            Status::Running => {}
            status => {
                return Err(misfit(
                    &self.meta.id,
                    status,
                    "a running one can be suspended",
                ));
            }
        }
        self.code = None;
        self.push(
            Kind::Suspended {
                reason: reason.clone(),
            },
            Bytes::new(),
        );
        self.meta.status = Status::Suspended;
        self.meta.suspended = Some(reason);
        Ok(())
    }

    fn resume(&mut self, reason: String) -> Result<()> {
        match self.meta.status {
            Status::Running => return Ok(()),
            Status::Suspended | Status::Stalled => {}
            status => {
                let wanted = "a suspended or stalled one can be resumed";
                return Err(misfit(&self.meta.id, status, wanted));
            }
        }
        self.push(Kind::Resumed { reason }, Bytes::new());
        self.meta.status = Status::Running;
        (self.meta.suspended, self.meta.failure) = (None, None);
        self.meta.tries = 0;
        Ok(())
    }

    fn end(&mut self, status: Status) {
        self.meta.status = status;
        self.meta.suspended = None;
        let last = self.context.lock().entries.len() - 1;
        self.meta.output = (status != Status::Failed).then_some(last as u32);
        if status != Status::Failed {
            self.meta.failure = None;
        }
    }

    /// Runs the code to its next wait, if there is anything new for it.
    pub async fn advance(&mut self) -> Result<()> {
        if self.meta.status != Status::Running || !self.is_behind || !self.engine.is_running() {
            return Ok(());
        }
        let kept = self.context.lock().entries.len();
        if let Some(reason) = self.cannot_go_on() {
            self.stall(kept, reason);
            return Ok(());
        }
        if !self.begin_code().await {
            return Ok(());
        }
        let step = self.run_code().await?;
        self.meta.tries = 0;
        let (custom, stop) = {
            let mut state = self.context.lock();
            (state.custom.take(), state.stop.clone())
        };
        if custom.is_some() {
            self.meta.custom = custom;
        }
        match (step, stop) {
            (Step::HostStops, _) => self.put_off(kept),
            (_, Some(reason)) => self.stall(kept, reason),
            (Step::Waits, None) => self.is_behind = false,
            (Step::Returned(Ok(answer)), None) => return self.returned(kept, answer).await,
            (Step::Returned(Err(error)), None) => self.fault(kept, &error),
        }
        Ok(())
    }

    fn cannot_go_on(&mut self) -> Option<String> {
        let tries = self.meta.tries;
        let spins = || {
            format!(
                "the host ended {tries} times while the code was in the same step; see `limits.stepFuel`"
            )
        };
        let overfull = self.overfull.take();
        overfull.or_else(|| (tries >= TRIES).then(spins))
    }

    /// Forgets what the code asked for in this step; it will ask again.
    fn put_off(&mut self, kept: usize) {
        self.code = None;
        self.is_spent = true;
        self.context.lock().truncate(kept);
    }

    fn stall(&mut self, kept: usize, reason: String) {
        tracing::warn!(
            instance = self.meta.id,
            workflow = self.meta.name,
            "stalled: {reason}"
        );
        self.put_off(kept);
        let offer = self.engine.offer(&self.meta.app);
        let is_other = offer.is_some_and(|offer| offer.app.digest() != self.meta.digest);
        let hint = "; the app's component is another one than when it began";
        let hint = if is_other { hint } else { "" };
        self.meta.status = Status::Stalled;
        self.meta.failure = Some(format!("{reason}{hint}"));
    }

    /// The code has neither an answer nor a failure of its own: it trapped, span, or could not be started.
    fn fault(&mut self, kept: usize, error: &Error) {
        if matches!(error.kind(), ErrorKind::Exhausted | ErrorKind::Unavailable) {
            self.put_off(kept);
            self.engine.nudge_later(&self.meta.id);
        } else {
            self.stall(kept, error.message().to_owned());
        }
    }

    async fn returned(&mut self, kept: usize, answer: Result<Bytes, String>) -> Result<()> {
        let (left, next) = {
            let mut state = self.context.lock();
            (state.left(), state.next_input.take())
        };
        let most = self.engine.settings.limits.payload;
        let length = answer.as_ref().map_or_else(String::len, Bytes::len);
        if let Some(reason) = left {
            self.stall(kept, reason);
        } else if length > most {
            let reason = format!("the output has {length} bytes; at most {most} are kept");
            self.stall(kept, reason);
        } else if let (Ok(_), Some(input)) = (&answer, next) {
            self.code = None;
            return self.continue_as_new(input).await;
        } else {
            self.code = None;
            match answer {
                Ok(output) => {
                    self.push(Kind::Completed, output);
                    self.end(Status::Completed);
                }
                Err(failure) => {
                    self.push(
                        Kind::Failed {
                            failure: failure.clone(),
                        },
                        Bytes::new(),
                    );
                    self.meta.failure = Some(failure);
                    self.end(Status::Failed);
                }
            }
        }
        Ok(())
    }
}

/// The first entry of a journal.
pub(super) fn started(meta: &Meta) -> Result<Kind> {
    Ok(Kind::Started {
        name: meta.name.clone(),
        app: meta.app.clone(),
        digest: meta.digest.clone(),
        seed: u128::from_be_bytes(random()?),
        parent: meta.parent.clone(),
    })
}

pub(super) fn misfit(id: &str, status: Status, wanted: &str) -> Error {
    Error::conflict(format!("instance `{id}` is {status}; only {wanted}"))
}
