//! Group commit: one thread per store takes all writes that wait, makes them durable together, then answers.
//!
//! An fsync costs the same for one write and for a hundred. A store whose commit failed accepts no writes until it is
//! opened again: after a failed fsync the kernel may have dropped the pages, and a second one would lie. The committer
//! opens it again by itself, as often as need be, since a disk that was full has room some day.

use parking_lot::Mutex;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;
use wythe_blocks::{Backoff, Error, Kind, Result, panics::text, time::Clock as _};

/// Writes of one commit: bounds the memory of a transaction and the wait of the first of them.
const MAX_BATCH: usize = 1_024;
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Pause before a store whose commit failed is opened again; it doubles with each failure, up to the last.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

/// A store's part in a commit, which lives on the committer's thread.
pub(crate) trait Engine: Send + 'static {
    type Write: Send + 'static;
    type Answer: Send + 'static;

    /// Runs the writes in order in one transaction and makes it durable. An error is about all of them:
    /// `unavailable` if nothing was written, `unknown-outcome` if it may have been.
    fn commit(&mut self, writes: Vec<Self::Write>) -> Result<Vec<Result<Self::Answer>>>;

    /// Removes some of what nobody can see any more; true if there is more of it.
    fn sweep(&mut self) -> Result<bool>;

    /// Opens the store again as it is on disk, after a commit that failed, and proves that it takes writes. What the
    /// engine has in memory is then as the store says. An engine that cannot stays shut until the next start.
    fn reopen(&mut self) -> Result<()>;
}

struct Job<W, A> {
    write: W,
    answer: oneshot::Sender<Result<A>>,
}

pub(crate) struct Committer<W, A> {
    /// The store's name in messages.
    name: String,
    failed: Arc<AtomicBool>,
    jobs: Mutex<Option<Sender<Job<W, A>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl<W: Send + 'static, A: Send + 'static> Committer<W, A> {
    pub(crate) fn start(name: String, engine: impl Engine<Write = W, Answer = A>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let failed = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            name: name.clone(),
            engine,
            failed: failed.clone(),
            pause: PAUSE,
            reopen_at: None,
        };
        let thread = std::thread::Builder::new()
            .name("committer".into())
            .spawn(move || worker.run(&receiver))
            .map_err(|error| {
                Error::unavailable(format!("no thread for {name}")).with_source(error)
            })?;
        Ok(Committer {
            name,
            failed,
            jobs: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    /// An error while the store accepts no writes.
    pub(crate) fn health(&self) -> Result<()> {
        match self.failed.load(Relaxed) {
            true => Err(refused(&self.name)),
            false => Ok(()),
        }
    }

    /// Hands the write over at once; the future only waits, and dropping it does not take the write back.
    pub(crate) fn submit(
        &self,
        write: W,
    ) -> impl Future<Output = Result<A>> + Send + 'static + use<W, A> {
        let (sender, receiver) = oneshot::channel();
        let job = Job {
            write,
            answer: sender,
        };
        let jobs = self.jobs.lock();
        let sent = jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        let refused = (!sent).then(|| Error::unavailable(format!("{} is closed", self.name)));
        let name = self.name.clone();
        async move {
            match refused {
                Some(error) => Err(error),
                None => receiver.await.unwrap_or_else(|_| Err(unknown(&name))),
            }
        }
    }
}

impl<W, A> Committer<W, A> {
    /// Waits for the writes that were handed over; later ones are refused.
    pub(crate) fn close(&self) {
        drop(self.jobs.lock().take());
        let thread = self.thread.lock().take();
        if let Some(Err(panic)) = thread.map(JoinHandle::join) {
            tracing::error!(
                store = self.name,
                panic = text(&*panic),
                "the committer ended by a panic"
            );
        }
    }
}

impl<W, A> Drop for Committer<W, A> {
    /// Takes as long as the commit that is running, so that the files are free afterwards.
    fn drop(&mut self) {
        self.close();
    }
}

struct Worker<E> {
    name: String,
    engine: E,
    failed: Arc<AtomicBool>,
    /// Pause after the next failure, before the store is opened again.
    pause: Backoff,
    reopen_at: Option<Instant>,
}

impl<E: Engine> Worker<E> {
    fn run(mut self, jobs: &Receiver<Job<E::Write, E::Answer>>) {
        let mut sweep_at = Instant::now() + SWEEP_EVERY;
        loop {
            let next = self.reopen_at.map_or(sweep_at, |at| at.min(sweep_at));
            match jobs.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(first) => {
                    let batch = std::iter::once(first)
                        .chain(jobs.try_iter())
                        .take(MAX_BATCH)
                        .collect();
                    self.commit(batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.reopen_at.is_some_and(|at| Instant::now() >= at) {
                self.reopen();
            }
            if Instant::now() >= sweep_at {
                // What is left over is swept between the batches that come next, a bit at a time.
                let more = self.sweep();
                sweep_at = Instant::now().after(if more { Duration::ZERO } else { SWEEP_EVERY });
            }
        }
    }

    fn commit(&mut self, batch: Vec<Job<E::Write, E::Answer>>) {
        let (writes, callers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|job| (job.write, job.answer)).unzip();
        let outcome = match self.failed.load(Relaxed) {
            true => Err(refused(&self.name)),
            false => self.guarded(|engine| engine.commit(writes)),
        };
        match outcome {
            Ok(answers) => {
                for (caller, answer) in callers.into_iter().zip(answers) {
                    // A caller that went away does not want its answer.
                    let _ = caller.send(answer);
                }
            }
            Err(error) => {
                for caller in callers {
                    let _ = caller.send(Err(error.duplicate()));
                }
            }
        }
    }

    fn sweep(&mut self) -> bool {
        !self.failed.load(Relaxed) && self.guarded(E::sweep).unwrap_or(false)
    }

    /// The first failure is the last: from then on nothing is written until the store was opened again.
    fn guarded<R>(&mut self, run: impl FnOnce(&mut E) -> Result<R>) -> Result<R> {
        let outcome = self.caught(run);
        if let Err(error) = &outcome {
            self.failed.store(true, Relaxed);
            self.reopen_at = Some(Instant::now().after(self.pause.fail()));
            tracing::error!(
                store = self.name,
                cause = error.chain(),
                "a commit failed; no writes are accepted until the store opens again"
            );
        }
        outcome
    }

    fn caught<R>(&mut self, run: impl FnOnce(&mut E) -> Result<R>) -> Result<R> {
        let engine = &mut self.engine;
        catch_unwind(AssertUnwindSafe(|| run(engine)))
            .unwrap_or_else(|panic| Err(unknown(&self.name).with_source(text(&*panic))))
    }

    fn reopen(&mut self) {
        match self.caught(E::reopen) {
            Ok(()) => {
                self.failed.store(false, Relaxed);
                self.reopen_at = None;
                self.pause.reset();
                tracing::info!(store = self.name, "opened again; writes are accepted");
            }
            Err(error) => {
                let pause = self.pause.fail();
                self.reopen_at = Some(Instant::now().after(pause));
                tracing::warn!(
                    store = self.name,
                    cause = error.chain(),
                    "it does not open again yet; the next try is in {pause:?}"
                );
            }
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::unknown_outcome(format!(
        "it is not known whether the write to {name} is kept"
    ))
}

fn refused(name: &str) -> Error {
    Error::unavailable(format!(
        "{name} accepts no writes since a commit failed; the log has the cause"
    ))
}

/// Tells the store's own failure from an answer to one write.
pub(crate) fn ends_batch<A>(answer: &Result<A>) -> bool {
    matches!(answer, Err(error) if error.kind() == Kind::Unavailable)
}

#[cfg(test)]
mod tests;
