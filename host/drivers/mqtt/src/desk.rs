//! The messages of a session: those that wait for somebody who pulls, those that are out, and those that come again later.
//! The server has all of them until they are acknowledged.

use crate::fault;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};
use wythe_blocks::{Error, Result, time::Clock as _};

/// Messages of a session, and bytes of them: beyond either the host reads no more until some are acknowledged.
pub(crate) const HELD: usize = 1_000;
pub(crate) const BYTES: usize = 64 << 20;

/// Bytes of a receipt: the desk, the message, and the delivery.
const RECEIPT: usize = 24;

/// A message that is given out.
pub(crate) struct Given {
    pub topic: String,
    pub data: Bytes,
    pub attempt: u32,
    pub receipt: Vec<u8>,
}

/// An acknowledgement on its way: the connection by which the message came, and its number there.
pub(crate) type Ack = (u64, u16);

struct Held {
    topic: String,
    data: Bytes,
    ack: Ack,
    attempt: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ready,
    /// The delivery, and the member that has it.
    Out(u64, u64),
    Later(Instant),
}

impl Held {
    fn is_due(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Ready => true,
            Stage::Out(..) => false,
            Stage::Later(due) => due <= now,
        }
    }
}

pub(crate) struct Desk {
    name: u64,
    state: Mutex<State>,
    acks: mpsc::UnboundedSender<Ack>,
    /// Something came, or reading has failed.
    arrival: Notify,
}

#[derive(Default)]
struct State {
    held: BTreeMap<u64, Held>,
    bytes: usize,
    /// The number of the connection.
    epoch: u64,
    last: u64,
    serial: u64,
    failed: Option<Error>,
    is_closed: bool,
}

impl Desk {
    /// The other end takes acknowledgements, which are no more than there are messages.
    pub fn new(name: u64) -> (Self, mpsc::UnboundedReceiver<Ack>) {
        let (acks, taken) = mpsc::unbounded_channel();
        let desk = Desk {
            name,
            state: Mutex::default(),
            acks,
            arrival: Notify::new(),
        };
        (desk, taken)
    }

    /// Begins with a connection; the server sends again what came by another one.
    pub fn begin(&self) -> u64 {
        let mut state = self.state.lock();
        (state.epoch, state.bytes) = (state.epoch + 1, 0);
        state.held.clear();
        state.epoch
    }

    /// Ends with its connection, for a reason that whoever pulls is told.
    pub fn fail(&self, error: Error) {
        self.begin();
        self.state.lock().failed = Some(error);
        self.arrival.notify_waiters();
    }

    pub fn close(&self) {
        self.begin();
        self.state.lock().is_closed = true;
        self.arrival.notify_waiters();
    }

    pub fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.held.len() < HELD && state.bytes < BYTES
    }

    pub fn add(&self, topic: String, data: Bytes, number: u16, is_again: bool) {
        let mut state = self.state.lock();
        state.last += 1;
        state.bytes += data.len();
        let (key, ack) = (state.last, (state.epoch, number));
        let held = Held {
            topic,
            data,
            ack,
            attempt: 1 + u32::from(is_again),
            stage: Stage::Ready,
        };
        state.held.insert(key, held);
        drop(state);
        self.arrival.notify_waiters();
    }

    /// Waits for at least one message, and gives out up to `max` to a member.
    pub async fn pull(&self, member: u64, max: usize) -> Result<Vec<Given>> {
        loop {
            let arrival = self.arrival.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            let next = {
                let mut state = self.state.lock();
                let given = self.give(&mut state, member, max.max(1));
                if !given.is_empty() {
                    return Ok(given);
                }
                if state.is_closed {
                    return Err(fault::closed());
                }
                if let Some(error) = state.failed.take() {
                    return Err(error);
                }
                let later = state.held.values().filter_map(|held| match held.stage {
                    Stage::Later(due) => Some(due),
                    _ => None,
                });
                later.min()
            };
            match next {
                None => arrival.await,
                Some(due) => {
                    let _ = tokio::time::timeout_at(due, arrival).await;
                }
            }
        }
    }

    fn give(&self, state: &mut State, member: u64, max: usize) -> Vec<Given> {
        let now = Instant::now();
        let State { held, serial, .. } = state;
        let due = held.iter_mut().filter(|(_, held)| held.is_due(now));
        let mut given = Vec::new();
        for (key, held) in due.take(max) {
            *serial += 1;
            held.stage = Stage::Out(*serial, member);
            let parts = [self.name, *key, *serial];
            given.push(Given {
                topic: held.topic.clone(),
                data: held.data.clone(),
                attempt: held.attempt,
                receipt: parts.iter().flat_map(|part| part.to_be_bytes()).collect(),
            });
        }
        given
    }

    /// The message of a receipt that is out with a member.
    fn of(&self, state: &State, member: u64, receipt: &[u8]) -> Result<u64> {
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
        let (name, key, serial) = (part(), part(), part());
        let held = state.held.get(&key);
        let is_out = held.is_some_and(|held| held.stage == Stage::Out(serial, member));
        match is_out && name == self.name {
            true => Ok(key),
            false => Err(missing()),
        }
    }

    /// Acknowledges a delivery: the server has no answer to that.
    pub fn ack(&self, member: u64, receipt: &[u8]) -> Result<()> {
        let mut state = self.state.lock();
        let key = self.of(&state, member, receipt)?;
        if let Some(held) = state.held.remove(&key) {
            state.bytes = state.bytes.saturating_sub(held.data.len());
            // A session that has ended has its messages sent again.
            let _ = self.acks.send(held.ack);
        }
        Ok(())
    }

    /// Has a message come again.
    pub fn postpone(&self, member: u64, receipt: &[u8], delay: Duration) -> Result<()> {
        let mut state = self.state.lock();
        let key = self.of(&state, member, receipt)?;
        if let Some(held) = state.held.get_mut(&key) {
            held.attempt = held.attempt.saturating_add(1);
            held.stage = Stage::Later(Instant::now().after(delay));
        }
        drop(state);
        self.arrival.notify_waiters();
        Ok(())
    }

    /// Gives what a member has to the others.
    pub fn release(&self, member: u64) {
        let mut state = self.state.lock();
        let out = state.held.values_mut();
        for held in out.filter(|held| matches!(held.stage, Stage::Out(_, of) if of == member)) {
            held.attempt = held.attempt.saturating_add(1);
            held.stage = Stage::Ready;
        }
        drop(state);
        self.arrival.notify_waiters();
    }
}
