//! The thread for rules: expressions are read and evaluated on a stack of its own, one at a time, never on a worker's.

use crate::{Error, Result};
use parking_lot::Mutex;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;
use wythe_manifest::Expression;

type Work = Box<dyn FnOnce() + Send>;

/// Starts with the first rule, and ends with its owner.
#[derive(Default)]
pub(crate) struct RuleThread {
    queue: Mutex<Option<Sender<Work>>>,
}

impl RuleThread {
    /// Runs `work` in its turn and says how long it took.
    ///
    /// # Errors
    /// `unavailable` when the system starts no thread; `internal` when `work` panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, Duration)> {
        let (answer, answered) = oneshot::channel();
        self.send(Box::new(move || {
            let start = Instant::now();
            if let Ok(value) = catch_unwind(AssertUnwindSafe(work)) {
                // Nobody waits any more for what was asked by a caller that is gone.
                let _ = answer.send((value, start.elapsed()));
            }
        }))?;
        let broke = |_| Error::internal("a rule broke off; see the log");
        answered.await.map_err(broke)
    }

    fn send(&self, work: Work) -> Result<()> {
        let mut queue = self.queue.lock();
        let sender = match &mut *queue {
            Some(sender) => sender,
            none => none.insert(start()?),
        };
        let gone = |_| Error::internal("the thread for rules is gone");
        sender.send(work).map_err(gone)
    }
}

fn start() -> Result<Sender<Work>> {
    let (sender, works) = mpsc::channel();
    let builder = thread::Builder::new()
        .name("rules".into())
        .stack_size(Expression::STACK);
    let started = builder.spawn(move || run(works));
    started.map_err(|error| {
        Error::unavailable("the system starts no thread for rules").with_source(error)
    })?;
    Ok(sender)
}

fn run(works: Receiver<Work>) {
    for work in works {
        work();
    }
}
