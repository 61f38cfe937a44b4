//! The thread that writes: all that waits in one transaction, and each answer once it is on the disk.

use super::session::Holder;
use crate::{fault::Fault, lane::Engine};
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::sync::oneshot;
use wythe_blocks::{Error, Kind, Result, panics::text};

/// One write, which may be done more than once until it is settled.
pub(super) trait Write: Send {
    /// True if nobody waits for it any more.
    fn is_left(&self) -> bool;

    /// Does it within a transaction; false where it was refused, and what it did is to be taken back.
    fn apply(&mut self, connection: &Connection) -> Result<bool, Fault>;

    /// Answers, by what became of the transaction.
    fn settle(&mut self, outcome: Result<()>);
}

/// A write with its answer, which is held back until the transaction is kept.
pub(super) struct Order<T, F> {
    work: F,
    done: Option<Result<T>>,
    answer: Option<oneshot::Sender<Result<T>>>,
}

impl<T, F> Order<T, F>
where
    F: FnMut(&Connection) -> Result<Result<T>, Fault>,
{
    pub fn new(work: F) -> (Self, oneshot::Receiver<Result<T>>) {
        let (sender, receiver) = oneshot::channel();
        let order = Order {
            work,
            done: None,
            answer: Some(sender),
        };
        (order, receiver)
    }
}

impl<T, F> Write for Order<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<Result<T>, Fault> + Send,
{
    fn is_left(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn apply(&mut self, connection: &Connection) -> Result<bool, Fault> {
        let done = (self.work)(connection)?;
        let is_kept = done.is_ok();
        self.done = Some(done);
        Ok(is_kept)
    }

    fn settle(&mut self, outcome: Result<()>) {
        let missing = || Err(Error::internal("a write was not done"));
        let answer = outcome.and_then(|()| self.done.take().unwrap_or_else(missing));
        if let Some(sender) = self.answer.take() {
            // Who went away does not want the answer.
            _ = sender.send(answer);
        }
    }
}

/// The end of a transaction.
enum Outcome {
    Committed,
    /// All of it was taken back.
    Undone(Fault),
    /// The commit failed.
    Failed(Fault),
}

pub(super) struct Writer {
    holder: Holder,
    failed: Arc<AtomicBool>,
}

impl Writer {
    pub fn new(holder: Holder, failed: Arc<AtomicBool>) -> Self {
        Writer { holder, failed }
    }

    /// Does the writes in one transaction. An error means that there is no connection.
    fn together(&mut self, writes: &mut [Box<dyn Write>]) -> Result<Outcome> {
        self.holder.session()?;
        let work = AssertUnwindSafe(|| transact(&mut self.holder, writes));
        match catch_unwind(work) {
            Ok(outcome) => Ok(outcome),
            Err(panic) => {
                self.holder.leave();
                let said = text(&*panic).to_owned();
                Err(Error::internal("the write ended by a panic").with_source(said))
            }
        }
    }

    fn finish(&mut self, writes: &mut [Box<dyn Write>], outcome: Result<Outcome>) {
        let error = match outcome {
            Ok(Outcome::Committed) => None,
            Ok(Outcome::Undone(fault)) => Some(self.ended(fault, Fault::of_work)),
            Ok(Outcome::Failed(fault)) => Some(self.ended(fault, Fault::of_commit)),
            Err(error) => Some(error),
        };
        let is_failed = error
            .as_ref()
            .is_some_and(|error| matches!(error.kind(), Kind::Unavailable | Kind::UnknownOutcome));
        if let Some(error) = error.as_ref().filter(|_| is_failed) {
            tracing::error!(cause = error.chain(), "a write to a file of SQLite failed");
        }
        self.failed.store(is_failed, Relaxed);
        for write in writes {
            write.settle(
                error
                    .as_ref()
                    .map_or(Ok(()), |error| Err(error.duplicate())),
            );
        }
    }

    /// Leaves a connection that is of no use any more, or is still in a transaction.
    fn ended(&mut self, fault: Fault, error: fn(Fault) -> Error) -> Error {
        let is_open = self.holder.session().is_ok_and(|session| {
            let connection = &session.connection;
            !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err()
        });
        if is_open || fault.ends_connection() {
            self.holder.leave();
        }
        error(fault)
    }
}

impl Engine<Box<dyn Write>> for Writer {
    const AT_ONCE: usize = 128;

    fn run(&mut self, writes: Vec<Box<dyn Write>>) {
        let mut writes: Vec<_> = writes
            .into_iter()
            .filter(|write| !write.is_left())
            .collect();
        if writes.is_empty() {
            return;
        }
        let outcome = self.together(&mut writes);
        let is_one_to_blame = match &outcome {
            Ok(Outcome::Undone(fault)) => !fault.ends_connection(),
            Ok(_) => false,
            Err(error) => error.kind() == Kind::Internal,
        };
        if writes.len() == 1 || !is_one_to_blame {
            return self.finish(&mut writes, outcome);
        }
        if let Ok(Outcome::Undone(fault)) = outcome {
            self.ended(fault, Fault::of_work);
        }
        for write in &mut writes {
            let alone = std::slice::from_mut(write);
            let outcome = self.together(alone);
            self.finish(alone, outcome);
        }
    }
}

/// Each write is taken back by itself where it is refused.
fn transact(holder: &mut Holder, writes: &mut [Box<dyn Write>]) -> Outcome {
    match begin(holder, writes) {
        Err(fault) => Outcome::Undone(fault),
        Ok(()) => match execute(holder, "COMMIT") {
            Ok(()) => Outcome::Committed,
            Err(fault) => Outcome::Failed(fault),
        },
    }
}

fn begin(holder: &mut Holder, writes: &mut [Box<dyn Write>]) -> Result<(), Fault> {
    execute(holder, "BEGIN IMMEDIATE")?;
    for write in writes {
        holder.begin();
        execute(holder, "SAVEPOINT one")?;
        let is_kept = write.apply(connection(holder)?)?;
        if !is_kept {
            execute(holder, "ROLLBACK TO one")?;
        }
        execute(holder, "RELEASE one")?;
    }
    Ok(())
}

fn connection(holder: &mut Holder) -> Result<&Connection, Fault> {
    let session = holder.session();
    session
        .map(|session| &session.connection)
        .map_err(|error| Fault::odd(error.message()))
}

fn execute(holder: &mut Holder, sql: &str) -> Result<(), Fault> {
    let mut statement = connection(holder)?.prepare_cached(sql)?;
    statement.execute([])?;
    Ok(())
}
