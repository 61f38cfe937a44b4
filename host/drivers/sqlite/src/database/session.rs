//! A thread's connection, which is made anew after a failure of the disk, and not all the time.

use crate::{lane::Engine, location::Location};
use parking_lot::Mutex;
use rusqlite::Connection;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{Backoff, Error, Result, time::Clock as _};

/// Pauses between connections that fail.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
/// Steps of a statement between two looks at the clock.
const STEPS: i32 = 10_000;

/// A piece of reading; true where the connection is of no use after it.
pub(super) type Work = Box<dyn FnOnce(Result<&mut Session>) -> bool + Send>;

/// A connection, and what a reader has noted about it.
pub(crate) struct Session {
    pub connection: Connection,
    /// The last number of changes that was seen by this connection, and what was found then.
    pub seen: Option<(i64, String)>,
}

/// The connection of a thread, once there is one.
pub(super) struct Holder {
    place: Arc<Location>,
    session: Option<Session>,
    pause: Backoff,
    /// The end of the pause after a connection that failed.
    not_before: Option<Instant>,
    limit: Duration,
    /// The end of what is under way.
    deadline: Arc<Mutex<Instant>>,
}

impl Holder {
    pub fn new(place: Arc<Location>, limit: Duration) -> Self {
        Holder {
            place,
            session: None,
            pause: PAUSE,
            not_before: None,
            limit,
            deadline: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// The connection, for a piece of work that begins now.
    pub fn session(&mut self) -> Result<&mut Session> {
        *self.deadline.lock() = Instant::now().after(self.limit);
        if self.session.is_none() {
            let session = self.open()?;
            self.session = Some(session);
        }
        self.session
            .as_mut()
            .ok_or_else(|| Error::internal("no connection to the file"))
    }

    /// Gives what is under way the whole time again.
    pub fn begin(&self) {
        *self.deadline.lock() = Instant::now().after(self.limit);
    }

    fn open(&mut self) -> Result<Session> {
        if self.not_before.is_some_and(|time| Instant::now() < time) {
            return Err(Error::unavailable(
                "the file could not be opened a moment ago; the log has the cause",
            ));
        }
        let opened = self.place.open().and_then(|mut connection| {
            let deadline = self.deadline.clone();
            let is_late = move || Instant::now() >= *deadline.lock();
            let set = connection.progress_handler(STEPS, Some(is_late));
            set.map_err(|error| crate::fault::Fault::from(error).of_work())?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => {
                self.pause.reset();
                self.not_before = None;
                Ok(Session {
                    connection,
                    seen: None,
                })
            }
            Err(error) => {
                self.not_before = Some(Instant::now().after(self.pause.fail_apart()));
                Err(error)
            }
        }
    }

    /// Closes the connection; the next piece of work opens another.
    pub fn leave(&mut self) {
        self.session = None;
    }
}

/// The engine of a thread that reads.
pub(super) struct Reader(Holder);

impl Reader {
    pub fn new(holder: Holder) -> Self {
        Reader(holder)
    }
}

impl Engine<Work> for Reader {
    const AT_ONCE: usize = 1;

    fn run(&mut self, jobs: Vec<Work>) {
        for work in jobs {
            let session = self.0.session();
            let done = catch_unwind(AssertUnwindSafe(|| work(session)));
            // A panic leaves a statement in the middle.
            if done.unwrap_or(true) {
                self.0.leave();
            }
        }
    }
}
