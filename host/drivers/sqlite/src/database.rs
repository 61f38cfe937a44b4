//! An open file: a thread that writes and threads that read, each with a connection of its own.
//!
//! Writes that wait are done in one transaction and one sync of the disk. Each is kept or refused for itself; where one of them
//! breaks the transaction, all are done again, each alone.

mod session;
mod writer;

pub(super) use session::Session;

use crate::{fault::Fault, lane::Lane, location::Location, settings::Settings};
use rusqlite::Connection;
use session::{Holder, Reader, Work};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::oneshot, time::timeout};
use writer::{Order, Write, Writer};
use wythe_blocks::{Error, Result, Site};

pub(super) struct Database {
    /// The file, in messages.
    name: String,
    readers: Lane<Work>,
    writer: Lane<Box<dyn Write>>,
    /// True while the file cannot be written.
    failed: Arc<AtomicBool>,
    /// Time of one piece of work.
    limit: Duration,
    /// Time after which nobody waits any more: each lock that is in the way has its own.
    patience: Duration,
}

impl Database {
    /// Opens the file, which is made where it is missing, with what `prepare` makes in it. Blocks.
    pub fn open(
        settings: &Settings,
        site: &Site,
        readers: usize,
        prepare: impl Fn(&mut Connection) -> Result<()>,
    ) -> Result<Self> {
        let place = Location::find(settings, site, &prepare)?;
        let mut connection = place.open()?;
        prepare(&mut connection)?;
        let name = format!("`{}`", place.path().display());
        let (place, failed) = (Arc::new(place), Arc::new(AtomicBool::new(false)));
        let limit = settings.timeout;
        let holder = || Holder::new(place.clone(), limit);
        let writer = Writer::new(holder(), failed.clone());
        let readers = (0..readers).map(|_| Reader::new(holder())).collect();
        Ok(Database {
            readers: Lane::start(&name, limit, readers)?,
            writer: Lane::start(&name, limit, vec![writer])?,
            name,
            failed,
            limit,
            patience: limit + settings.busy,
        })
    }

    /// Reads within the time of one piece of work.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let work: Work = Box::new(move |session: Result<&mut Session>| {
            if sender.is_closed() {
                return false;
            }
            let done = session.map(work);
            let is_broken = matches!(&done, Ok(Err(fault)) if fault.ends_connection());
            let answer = done.and_then(|done| done.map_err(Fault::of_work));
            // Who went away does not want the answer.
            _ = sender.send(answer);
            is_broken
        });
        self.readers.hand_over(work).await?;
        match timeout(self.patience, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Error::internal("the read ended by a panic")),
            Err(_) => Err(Error::unavailable(format!(
                "{} was not read within {:?}; see `timeout`",
                self.name, self.limit
            ))),
        }
    }

    /// Writes, within a transaction that is kept before this returns. `work` may run more than once; an error inside its
    /// answer takes back what it did.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<Result<T>, Fault> + Send + 'static,
    ) -> Result<T> {
        let (order, receiver) = Order::new(work);
        self.writer.hand_over(Box::new(order)).await?;
        let unknown = |why: String| {
            Err(Error::unknown_outcome(format!(
                "{why}, so it is not known whether the write is kept"
            )))
        };
        match timeout(self.patience, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => unknown("the write ended by a panic".to_owned()),
            Err(_) => unknown(format!(
                "{} was not written within {:?}",
                self.name, self.limit
            )),
        }
    }

    pub fn describe(&self) -> String {
        format!("SQLite {} in {}", rusqlite::version(), self.name)
    }

    /// An error while the file cannot be written; one that could not be is tried again.
    pub async fn health(&self) -> Result<()> {
        match self.failed.load(Relaxed) {
            true => self.write(|_| Ok(Ok(()))).await,
            false => Ok(()),
        }
    }

    /// Waits for what was handed over, and closes the file. Blocks.
    pub fn close(&self) {
        self.readers.close();
        // The last connection puts the log into the file.
        self.writer.close();
    }
}

#[cfg(test)]
mod tests;
