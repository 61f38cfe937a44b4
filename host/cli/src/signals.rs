//! The signals that end a process: the first asks for an end, the second ends it at once, and so does a deadline.
//!
//! They are heard by a thread of their own, so that they work while every worker of the runtime is busy, and by one
//! listener from the start to the end, so that none is lost.

use crate::report::note;
use std::{
    io,
    process::exit,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// The time for words about an end: standard error may be a pipe that nobody reads.
const WORDS: Duration = Duration::from_millis(200);
/// The time between the first signal and the end of a command that has nothing to finish.
const COMMAND: Duration = Duration::from_secs(5);

/// Fires at the first SIGINT or SIGTERM; the process ends at the second, or `limit` after the first.
///
/// # Errors
/// The system's own, when it starts no thread or takes no handler.
pub fn drain(limit: Duration) -> io::Result<CancellationToken> {
    listen(limit, || {
        tracing::info!("stopping when what was begun is done; once more to stop at once")
    })
}

/// Fires as [`drain`] does, for a command that waits and has nothing to finish.
pub fn interrupted() -> io::Result<CancellationToken> {
    listen(COMMAND, || {})
}

fn listen(limit: Duration, on_signal: fn()) -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let (answer, started) = mpsc::channel();
    thread::Builder::new()
        .name("signals".into())
        .spawn(move || match Listener::new() {
            Ok(listener) => {
                // The caller waits for it.
                let _ = answer.send(Ok(()));
                listener.run(&token, limit, on_signal);
            }
            Err(error) => drop(answer.send(Err(error))),
        })?;
    let gone = |_| io::Error::other("the thread for signals is gone");
    started.recv().map_err(gone)??;
    Ok(stop)
}

/// Both signals, on a runtime without other tasks.
struct Listener {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Listener {
    fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        drop(entered);
        Ok(Listener {
            runtime,
            interrupt,
            terminate,
        })
    }

    /// Acts before it speaks, and speaks on another thread.
    #[expect(clippy::disallowed_methods, reason = "the signals ask for it")]
    fn run(mut self, stop: &CancellationToken, limit: Duration, on_signal: fn()) {
        let status = self
            .runtime
            .block_on(status(&mut self.interrupt, &mut self.terminate));
        stop.cancel();
        // A process that has no thread for words goes on without them.
        let _ = aside(on_signal);
        let again = status_within(&mut self.interrupt, &mut self.terminate, limit);
        let again = self.runtime.block_on(again);
        let last = aside(match again {
            Some(_) => || note("stopped at once"),
            None => || note("stopped at once: what was begun did not end in time"),
        });
        if let Ok(last) = last {
            wait(&last);
        }
        exit(again.unwrap_or(status));
    }
}

/// The exit status that shells expect of a process that such a signal ended.
async fn status(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    }
}

async fn status_within(
    interrupt: &mut Signal,
    terminate: &mut Signal,
    limit: Duration,
) -> Option<i32> {
    tokio::select! {
        status = status(interrupt, terminate) => Some(status),
        () = sleep(limit) => None,
    }
}

fn aside(words: fn()) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("words".into()).spawn(words)
}

#[expect(clippy::disallowed_methods, reason = "it is a thread of its own")]
fn wait(words: &JoinHandle<()>) {
    const STEP: Duration = Duration::from_millis(5);
    let steps = WORDS.as_millis() / STEP.as_millis();
    for _ in 0..steps {
        if words.is_finished() {
            return;
        }
        thread::sleep(STEP);
    }
}

#[cfg(test)]
mod tests;
