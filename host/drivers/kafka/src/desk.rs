//! The messages of a topic that a group's member has: those that wait for somebody who pulls, those that are out, and those
//! that are settled and not yet noted by the cluster.

mod partition;

pub(crate) use partition::{Noted, Taken};

use crate::records::Read;
use parking_lot::Mutex;
use partition::Partition;
use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};
use wythe_blocks::{Error, Result, pubsub::Receipt, random, time::Clock as _};

/// Bytes of messages that a desk has, beyond which it asks for no more.
const BYTES: usize = 16 << 20;

pub(crate) struct Desk {
    pub topic: String,
    /// Tells its receipts from those of others.
    mark: u64,
    /// Messages of a partition at once.
    at_once: usize,
    state: Mutex<State>,
    /// Something came, or reading has failed.
    pub arrival: Notify,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<i32, Partition>,
    /// The number of the last delivery.
    serial: u64,
    failed: Option<Error>,
    /// Partitions are about to go to others, so that no message is given out.
    is_held: bool,
    is_over: bool,
}

/// The delivery that a receipt is about.
struct Delivery {
    partition: i32,
    offset: i64,
    serial: u64,
}

/// The messages for somebody who pulls, or the time at which there may be something.
pub(crate) enum Given {
    Some(Vec<Taken>),
    None(Option<Instant>),
}

impl Desk {
    pub fn new(topic: &str, at_once: usize) -> Self {
        Desk {
            topic: topic.to_owned(),
            mark: random::next(),
            at_once,
            state: Mutex::default(),
            arrival: Notify::new(),
        }
    }

    /// Gives out messages that wait, to a puller. Of one key there is one out at a time, the first.
    pub fn give(&self, puller: u64, count: usize) -> Result<Given> {
        let state = &mut *self.state.lock();
        if state.is_over {
            return Err(Error::unavailable("the component is closed"));
        }
        let mut given = Vec::new();
        let mut due = None;
        if !state.is_held {
            for (number, partition) in &mut state.partitions {
                let next = partition.give(
                    (puller, *number, &mut state.serial),
                    count - given.len(),
                    |offset, serial| {
                        format!("{} {number} {offset} {serial}", self.mark).into_bytes()
                    },
                    &mut given,
                );
                due = [due, next].into_iter().flatten().min();
                if given.len() >= count {
                    break;
                }
            }
        }
        match (given.is_empty(), state.failed.take()) {
            (true, Some(error)) => Err(error),
            (true, None) => Ok(Given::None(due)),
            (false, failed) => {
                state.failed = failed;
                Ok(Given::Some(given))
            }
        }
    }

    fn read(&self, receipt: &Receipt) -> Result<Delivery> {
        let parse = || {
            let text = std::str::from_utf8(receipt).ok()?;
            let mut parts = text.split(' ');
            let mark = parts.next()?.parse::<u64>().ok()?;
            let delivery = Delivery {
                partition: parts.next()?.parse().ok()?,
                offset: parts.next()?.parse().ok()?,
                serial: parts.next()?.parse().ok()?,
            };
            (mark == self.mark).then_some(delivery)
        };
        parse().ok_or_else(over)
    }

    /// Settles deliveries; each answer comes once the cluster has noted it.
    pub fn settle(&self, receipts: &[Receipt]) -> Vec<Result<oneshot::Receiver<()>>> {
        let mut seen = HashSet::new();
        let state = &mut *self.state.lock();
        let mut settle = |receipt| {
            let delivery = self.read(receipt)?;
            let is_new = seen.insert((delivery.partition, delivery.offset));
            let partition = state.partitions.get_mut(&delivery.partition);
            let partition = partition.filter(|_| is_new).ok_or_else(over)?;
            let settled = partition.settle(delivery.offset, delivery.serial);
            settled.ok_or_else(over)
        };
        receipts.iter().map(&mut settle).collect()
    }

    /// Has a message come again, after a time.
    pub fn refuse(&self, receipt: &Receipt, delay: Duration) -> Result<()> {
        let delivery = self.read(receipt)?;
        let state = &mut *self.state.lock();
        let partition = state.partitions.get_mut(&delivery.partition);
        let refused = partition.is_some_and(|partition| {
            let due = (!delay.is_zero()).then(|| Instant::now().after(delay));
            partition.refuse(delivery.offset, delivery.serial, due)
        });
        self.arrival.notify_waiters();
        match refused {
            true => Ok(()),
            false => Err(over()),
        }
    }

    /// Takes back what a puller has.
    pub fn take_back(&self, puller: u64) {
        let state = &mut *self.state.lock();
        for partition in state.partitions.values_mut() {
            partition.take_back(puller);
        }
        self.arrival.notify_waiters();
    }

    pub fn fail(&self, error: Error) {
        self.state.lock().failed = Some(error);
        self.arrival.notify_waiters();
    }

    /// Gives nothing out any more.
    pub fn hold(&self) {
        self.state.lock().is_held = true;
    }

    /// Gives out again what there is; what has failed before is over.
    pub fn release(&self) {
        let mut state = self.state.lock();
        state.is_held = false;
        state.failed = None;
        drop(state);
        self.arrival.notify_waiters();
    }

    /// Forgets everything, for good.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.is_over = true;
        state.partitions.clear();
        drop(state);
        self.arrival.notify_waiters();
    }

    /// Returns whether a message is out.
    pub fn has_out(&self) -> bool {
        let state = self.state.lock();
        state.partitions.values().any(Partition::has_out)
    }

    /// Keeps those of its partitions that it reads still, and returns those that are new to it.
    pub fn keep(&self, partitions: &[i32]) -> Vec<i32> {
        let state = &mut *self.state.lock();
        state
            .partitions
            .retain(|number, _| partitions.contains(number));
        let known = &state.partitions;
        let new = partitions
            .iter()
            .filter(|number| !known.contains_key(number));
        new.copied().collect()
    }

    /// Begins to read a partition.
    pub fn begin(&self, partition: i32, noted: Noted) {
        let partitions = &mut self.state.lock().partitions;
        partitions.insert(partition, Partition::new(noted));
    }

    /// The partitions that it reads.
    pub fn partitions(&self) -> Vec<i32> {
        self.state.lock().partitions.keys().copied().collect()
    }

    /// The offset from which a partition is read on, where there is room for what comes.
    pub fn wants(&self, partition: i32) -> Option<i64> {
        let state = self.state.lock();
        let bytes: usize = state.partitions.values().map(Partition::bytes).sum();
        let partition = state.partitions.get(&partition)?;
        partition.wants(self.at_once).filter(|_| bytes < BYTES)
    }

    /// Takes what was read of a partition from an offset on.
    pub fn add(&self, partition: i32, from: i64, read: Read) {
        let state = &mut *self.state.lock();
        if let Some(partition) = state.partitions.get_mut(&partition) {
            partition.add(from, read);
            self.arrival.notify_waiters();
        }
    }

    /// Goes on from another offset, as the one that was wanted is not there.
    pub fn skip(&self, partition: i32, to: i64) {
        if let Some(partition) = self.state.lock().partitions.get_mut(&partition) {
            partition.skip(to);
        }
    }

    /// The notes for the cluster of partitions that have changed.
    pub fn changes(&self) -> Vec<(i32, Noted)> {
        let state = self.state.lock();
        let all = state.partitions.iter();
        all.filter_map(|(number, partition)| Some((*number, partition.change()?)))
            .collect()
    }

    /// Takes to its end what the cluster has noted.
    pub fn noted(&self, partition: i32, noted: &Noted) {
        if let Some(partition) = self.state.lock().partitions.get_mut(&partition) {
            partition.noted(noted);
        }
        // A key may be free, and there is room.
        self.arrival.notify_waiters();
    }
}

fn over() -> Error {
    Error::not_found("the delivery is settled, or another one's")
}

#[cfg(test)]
mod tests;
