//! A tenant that runs in a process of its own, as the rest of the host sees it: where it is reached, and how it is.

use crate::{Error, REFUSALS, Rate, Result};
use parking_lot::Mutex;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wythe_manifest::Name;

/// The time after which a process that is being started is asked again.
const SOON: Duration = Duration::from_secs(1);
/// The longest that an answer may wait for its reader, by the range of `limits.stallTime`.
const LONGEST_STALL: Duration = Duration::from_secs(24 * 60 * 60);

/// The process of a tenant.
pub struct Process {
    tenant: Name,
    /// The socket on which it answers requests to apps.
    pub apps: PathBuf,
    /// The socket on which it answers commands.
    pub control: PathBuf,
    /// The rate of lines about requests that it did not answer.
    pub refusals: Rate,
    places: Arc<Semaphore>,
    all_places: usize,
    /// Milliseconds.
    stall_time: AtomicU64,
    state: Mutex<State>,
}

/// The state of a tenant's process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being started, or told to end.
    Starting,
    Serving,
    /// It ended by itself, and is started again.
    Down {
        why: String,
        again: Instant,
    },
}

impl Process {
    /// A process that is being started, which is given at most so many requests at once.
    pub fn new(tenant: Name, apps: PathBuf, control: PathBuf, places: usize) -> Arc<Self> {
        Arc::new(Process {
            tenant,
            apps,
            control,
            refusals: Rate::per_second(REFUSALS),
            places: Arc::new(Semaphore::new(places)),
            all_places: places,
            stall_time: AtomicU64::new(0),
            state: Mutex::new(State::Starting),
        })
    }

    pub fn tenant(&self) -> &Name {
        &self.tenant
    }

    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    pub fn set(&self, state: State) {
        *self.state.lock() = state;
    }

    /// The longest that an answer of its apps may wait for its reader, as the process says.
    pub fn stall_time(&self) -> Duration {
        Duration::from_millis(self.stall_time.load(Relaxed)).min(LONGEST_STALL)
    }

    /// Remembers what the process says; true where it is another time than before.
    pub fn set_stall_time(&self, milliseconds: u64) -> bool {
        self.stall_time.swap(milliseconds, Relaxed) != milliseconds
    }

    /// Takes the place of one request; `unavailable` where the process does not serve, `exhausted` where it has as many as it
    /// is given.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit> {
        if self.state() != State::Serving {
            return Err(self.absent());
        }
        self.places.clone().try_acquire_owned().map_err(|_| {
            Error::exhausted(format!(
                "the process of tenant `{}` has {} requests already, as many as `quotas.calls` and `quotas.waitingCalls` \
                 together",
                self.tenant, self.all_places
            ))
            .with_retry_after(SOON)
        })
    }

    /// The error of a request or a command for a process that does not answer now.
    pub fn absent(&self) -> Error {
        let (why, after) = match self.state() {
            State::Down { why, again } => {
                let left = again.saturating_duration_since(Instant::now());
                (why, left + SOON)
            }
            State::Starting => ("is being started".to_owned(), SOON),
            State::Serving => ("does not answer".to_owned(), SOON),
        };
        let message = format!("the process of tenant `{}` {why}", self.tenant);
        Error::unavailable(message).with_retry_after(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_process_that_does_not_serve_takes_nothing_and_one_that_does_takes_so_much() {
        let process = Process::new("shop".parse().unwrap(), "a".into(), "b".into(), 1);
        let early = process.enter().unwrap_err();
        assert_eq!(early.kind(), Kind::Unavailable);
        assert_eq!(
            early.message(),
            "the process of tenant `shop` is being started"
        );
        process.set(State::Serving);
        let place = process.enter().unwrap();
        let over = process.enter().unwrap_err();
        assert_eq!(
            (over.kind(), over.retry_after()),
            (Kind::Exhausted, Some(SOON))
        );
        drop(place);
        drop(process.enter().unwrap());
        let (why, again) = ("ended".to_owned(), Instant::now() + SOON * 60);
        process.set(State::Down { why, again });
        let down = process.enter().unwrap_err();
        assert_eq!(down.message(), "the process of tenant `shop` ended");
        assert!(down.retry_after() > Some(SOON * 30), "{down:?}");
    }

    #[test]
    fn a_process_says_no_longer_time_than_there_is() {
        let process = Process::new("shop".parse().unwrap(), "a".into(), "b".into(), 1);
        assert!(process.set_stall_time(5) && !process.set_stall_time(5));
        assert_eq!(process.stall_time().as_millis(), 5);
        process.set_stall_time(u64::MAX);
        assert_eq!(process.stall_time(), LONGEST_STALL);
    }
}
