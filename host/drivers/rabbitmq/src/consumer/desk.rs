//! The messages that a member of a queue has: those that wait for somebody who pulls, those that are out, and those that
//! come again later. The server has all of them until they are acknowledged, and gives them to others when the channel ends.

use crate::fault;
use bytes::Bytes;
use lapin::{BasicProperties, Channel, message::Delivery, options::BasicAckOptions};
use parking_lot::Mutex;
use std::{collections::BTreeMap, time::Duration};
use tokio::{sync::Notify, time::Instant};
use wythe_blocks::{Error, Result, time::Clock as _};

/// A message by the channel on which it came, and its number there.
pub(crate) type Id = (u64, u64);

/// Bytes of a receipt: whose it is, the channel, the message, and the delivery.
const RECEIPT: usize = 32;

/// A message that came.
#[derive(Clone)]
pub(crate) struct Incoming {
    pub data: Bytes,
    pub properties: BasicProperties,
    /// The attempt that it is, 1 for the first one.
    pub attempt: u32,
    /// The attempt that the next member would see, if this one gives it back.
    pub next: u32,
}

/// A message that is given out.
pub(crate) struct Given {
    pub data: Bytes,
    pub properties: BasicProperties,
    pub attempt: u32,
    pub receipt: Vec<u8>,
}

/// The messages and the channel that a member leaves behind.
pub(crate) struct Left {
    /// The channel of now, if there is one.
    pub channel: Option<Channel>,
    /// Messages whose attempts the server would count wrongly, by their numbers there, with what is right.
    pub held: Vec<(u64, Incoming)>,
}

struct Held {
    incoming: Incoming,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ready,
    Out(u64),
    Later(Instant),
}

impl Held {
    fn is_due(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Ready => true,
            Stage::Out(_) => false,
            Stage::Later(due) => due <= now,
        }
    }
}

pub(crate) struct Desk {
    /// The name of the member, which no other one has.
    name: u64,
    /// Messages that it has at most.
    limit: usize,
    state: Mutex<State>,
    /// More messages are wanted than the server gives.
    pub demand: Notify,
    /// Something came, or reading has failed.
    pub arrival: Notify,
}

#[derive(Default)]
struct State {
    held: BTreeMap<Id, Held>,
    /// The channel of now, and its number.
    channel: Option<Channel>,
    epoch: u64,
    /// The number of the last delivery.
    serial: u64,
    /// Messages that are wanted of the server, those that are there already included.
    wanted: usize,
    failed: Option<Error>,
    has_left: bool,
}

impl Desk {
    pub fn new(name: u64, limit: usize) -> Self {
        Desk {
            name,
            limit,
            state: Mutex::default(),
            demand: Notify::new(),
            arrival: Notify::new(),
        }
    }

    /// Begins with a channel; what came by another one is the server's again.
    pub fn begin(&self, channel: Channel) {
        let mut state = self.state.lock();
        state.epoch += 1;
        state.held.clear();
        state.channel = Some(channel);
    }

    /// Ends with its channel, for a reason that whoever pulls is told.
    pub fn fail(&self, error: Error) {
        let mut state = self.state.lock();
        state.held.clear();
        state.channel = None;
        state.failed = Some(error);
        drop(state);
        self.arrival.notify_one();
    }

    /// Takes what came on the channel of now; an error where the server sends more than it was asked for.
    pub fn add(&self, tag: u64, incoming: Incoming) -> Result<()> {
        let mut state = self.state.lock();
        if state.held.len() >= self.limit {
            return Err(Error::unavailable(
                "the server sends more messages than it was asked for",
            ));
        }
        let id = (state.epoch, tag);
        let stage = Stage::Ready;
        state.held.insert(id, Held { incoming, stage });
        drop(state);
        self.arrival.notify_one();
        Ok(())
    }

    /// Messages that are wanted of the server at once.
    pub fn wanted(&self) -> usize {
        self.state.lock().wanted
    }

    /// Says that somebody waits for so many, or why none come; and when the next one comes again.
    pub fn want(&self, count: usize) -> Result<Option<Instant>> {
        let mut state = self.state.lock();
        if state.has_left {
            return Err(Error::unavailable("the component is closed"));
        }
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        let wanted = state.held.len().saturating_add(count).min(self.limit);
        if wanted > state.wanted {
            // Those that are refused take places from others: few steps lead to many places.
            state.wanted = wanted.max(state.wanted.saturating_mul(2)).min(self.limit);
            self.demand.notify_one();
        }
        let later = state.held.values().filter_map(|held| match held.stage {
            Stage::Later(due) => Some(due),
            _ => None,
        });
        Ok(later.min())
    }

    /// Returns whether so many can be given out.
    pub fn has(&self, count: usize) -> bool {
        let (state, now) = (self.state.lock(), Instant::now());
        let due = state.held.values().filter(|held| held.is_due(now));
        due.take(count).count() >= count
    }

    /// Gives up to so many messages out, the oldest first.
    pub fn give(&self, count: usize) -> Vec<Given> {
        let (state, now) = (&mut *self.state.lock(), Instant::now());
        let due = state.held.iter_mut().filter(|(_, held)| held.is_due(now));
        let mut given = Vec::new();
        for (id, held) in due.take(count) {
            state.serial += 1;
            held.stage = Stage::Out(state.serial);
            given.push(Given {
                data: held.incoming.data.clone(),
                properties: held.incoming.properties.clone(),
                attempt: held.incoming.attempt,
                receipt: self.receipt(*id, state.serial),
            });
        }
        given
    }

    fn receipt(&self, id: Id, serial: u64) -> Vec<u8> {
        let parts = [self.name, id.0, id.1, serial];
        parts.iter().flat_map(|part| part.to_be_bytes()).collect()
    }

    /// The message of a receipt that is out.
    fn of(&self, receipt: &[u8], state: &State) -> Result<Id> {
        let missing = || {
            Error::not_found(
                "the delivery is settled, or another one's: after a break of the connection its message comes again",
            )
        };
        let bytes = <[u8; RECEIPT]>::try_from(receipt).map_err(|_| missing())?;
        let mut parts = bytes.chunks_exact(8);
        let mut part = || {
            let part = parts.next().and_then(|part| part.try_into().ok());
            part.map_or(0, u64::from_be_bytes)
        };
        let (name, id, serial) = (part(), (part(), part()), part());
        let held = state.held.get(&id);
        match held.is_some_and(|held| held.stage == Stage::Out(serial)) && name == self.name {
            true => Ok(id),
            false => Err(missing()),
        }
    }

    /// Acknowledges a delivery: the server has no answer to that.
    pub async fn ack(&self, receipt: &[u8]) -> Result<()> {
        let (id, channel) = {
            let mut state = self.state.lock();
            let id = self.of(receipt, &state)?;
            // It is settled once, and comes again where the channel ends before the server hears of it.
            state.held.remove(&id);
            (id, state.channel.clone())
        };
        let gone = || Error::not_found("the connection broke: the message comes again");
        let channel = channel.ok_or_else(gone)?;
        let acked = channel.basic_ack(id.1, BasicAckOptions::default()).await;
        acked.map_err(|error| gone().with_source(error))
    }

    /// Has a message come again.
    pub fn postpone(&self, receipt: &[u8], delay: Duration) -> Result<()> {
        let mut state = self.state.lock();
        let id = self.of(receipt, &state)?;
        if let Some(held) = state.held.get_mut(&id) {
            held.incoming.attempt = held.incoming.attempt.saturating_add(1);
            held.stage = Stage::Later(Instant::now().after(delay));
        }
        drop(state);
        self.arrival.notify_one();
        Ok(())
    }

    /// Leaves, once.
    pub fn leave(&self) -> Option<Left> {
        let mut state = self.state.lock();
        if std::mem::replace(&mut state.has_left, true) {
            return None;
        }
        let held = std::mem::take(&mut state.held);
        let of = held.into_iter().map(|((_, tag), held)| {
            let mut incoming = held.incoming;
            if matches!(held.stage, Stage::Out(_)) {
                incoming.attempt = incoming.attempt.saturating_add(1);
            }
            (tag, incoming)
        });
        let of = of.filter(|(_, incoming)| incoming.attempt != incoming.next);
        let left = Left {
            channel: state.channel.take(),
            held: of.collect(),
        };
        drop(state);
        self.arrival.notify_one();
        Some(left)
    }

    pub fn has_left(&self) -> bool {
        self.state.lock().has_left
    }
}

/// Errors of a delivery that the client could not read.
pub(crate) fn read(delivery: lapin::Result<Delivery>) -> Result<Delivery> {
    delivery.map_err(|error| fault::of_call(error, "the subscription"))
}
