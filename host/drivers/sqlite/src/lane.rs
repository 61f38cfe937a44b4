//! Threads that do what blocks, one job or several at a time, and the queue in front of them, which has a fixed length.

use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use wythe_blocks::{Error, Result, panics::text};

/// Jobs that wait or are under way.
const PLACES: usize = 256;

/// The part of a thread: what it does with the jobs that wait, at most so many at a time.
pub(super) trait Engine<J>: Send + 'static {
    const AT_ONCE: usize;

    fn run(&mut self, jobs: Vec<J>);
}

/// A job, and its place in the queue until it is done.
type Placed<J> = (J, OwnedSemaphorePermit);

pub(super) struct Lane<J> {
    /// The file, in messages.
    name: String,
    places: Arc<Semaphore>,
    jobs: Mutex<Option<Sender<Placed<J>>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    limit: Duration,
}

impl<J: Send + 'static> Lane<J> {
    /// Starts a thread for each engine. `limit` is the time in which a job finds a place.
    pub fn start<E: Engine<J>>(name: &str, limit: Duration, engines: Vec<E>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::new();
        for engine in engines {
            let receiver = receiver.clone();
            let thread = std::thread::Builder::new()
                .name("sqlite".into())
                .spawn(move || run(engine, &receiver));
            threads.push(thread.map_err(|error| {
                Error::unavailable(format!("no thread for {name}")).with_source(error)
            })?);
        }
        Ok(Lane {
            name: name.to_owned(),
            places: Arc::new(Semaphore::new(PLACES)),
            jobs: Mutex::new(Some(sender)),
            threads: Mutex::new(threads),
            limit,
        })
    }

    /// Puts a job into the queue, once there is a place. An error means that it was not.
    pub async fn hand_over(&self, job: J) -> Result<()> {
        let closed = || Error::unavailable(format!("{} is closed", self.name));
        let place = timeout(self.limit, self.places.clone().acquire_owned());
        let place = place.await.map_err(|_| {
            Error::exhausted(format!(
                "no place in the queue of {} was free within {:?}; see `timeout`",
                self.name, self.limit
            ))
        })?;
        let place = place.map_err(|_| closed())?;
        let jobs = self.jobs.lock();
        let sent = jobs.as_ref().map(|jobs| jobs.send((job, place)));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(closed()),
        }
    }
}

impl<J> Lane<J> {
    /// Waits for the jobs that were handed over; later ones are refused. Blocks.
    pub fn close(&self) {
        self.places.close();
        drop(self.jobs.lock().take());
        let threads = std::mem::take(&mut *self.threads.lock());
        for panic in threads.into_iter().filter_map(|thread| thread.join().err()) {
            tracing::error!(
                store = self.name,
                panic = text(&*panic),
                "a thread of the store ended by a panic"
            );
        }
    }
}

impl<J> Drop for Lane<J> {
    fn drop(&mut self) {
        self.close();
    }
}

fn run<J, E: Engine<J>>(mut engine: E, jobs: &Mutex<Receiver<Placed<J>>>) {
    loop {
        let placed: Vec<Placed<J>> = {
            let jobs = jobs.lock();
            let Ok(first) = jobs.recv() else { return };
            let more = jobs.try_iter().take(E::AT_ONCE - 1);
            std::iter::once(first).chain(more).collect()
        };
        let (jobs, places): (Vec<_>, Vec<_>) = placed.into_iter().unzip();
        engine.run(jobs);
        drop(places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;
    use wythe_blocks::Kind;

    struct Waiting;

    impl Engine<oneshot::Receiver<()>> for Waiting {
        const AT_ONCE: usize = 1;

        fn run(&mut self, jobs: Vec<oneshot::Receiver<()>>) {
            for job in jobs {
                _ = job.blocking_recv();
            }
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_closed_one_too() {
        let limit = Duration::from_millis(20);
        let lane = Lane::start("a.db", limit, vec![Waiting]).unwrap();
        let mut senders = Vec::new();
        for _ in 0..PLACES {
            let (sender, receiver) = oneshot::channel();
            lane.hand_over(receiver).await.unwrap();
            senders.push(sender);
        }
        let error = lane.hand_over(oneshot::channel().1).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Exhausted, "{error}");
        drop(senders);
        lane.close();
        let error = lane.hand_over(oneshot::channel().1).await.unwrap_err();
        assert_eq!(error.message(), "a.db is closed");
    }
}
