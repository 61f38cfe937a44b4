//! What one consumer group has to do: which messages are ready and when, which are out, and which must wait for
//! another one with the same ordering key.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use wythe_blocks::{
    Error, Result,
    pubsub::{Message, Receipt},
};

/// Hash of an ordering key. Two keys that share one only wait for each other without need.
pub(crate) type Lane = u64;

/// FNV-1a: it is stored, so it must be the same in every build; never 0, which means no key.
pub(crate) fn lane(ordering_key: &str) -> Lane {
    let hash = ordering_key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash.max(1)
}

/// A message that comes into the queue.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// In the order of publishing.
    pub sequence: u64,
    pub due: Instant,
    /// Deliveries so far.
    pub attempts: u32,
    pub lane: Option<Lane>,
    /// Absent where it is kept elsewhere and read when it is delivered.
    pub message: Option<Arc<Message>>,
}

/// A message that goes out to a seat.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub sequence: u64,
    pub attempt: u32,
    pub receipt: Receipt,
    pub message: Option<Arc<Message>>,
}

/// A delivery whose verdict is being written down; nobody else can take or settle it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub sequence: u64,
    pub attempts: u32,
    pub lane: Option<Lane>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Ready from its due time, or behind another one of its lane.
    Here,
    Out {
        seat: u64,
        delivery: u64,
    },
    Held {
        seat: u64,
        delivery: u64,
    },
}

struct Item {
    due: Instant,
    attempts: u32,
    lane: Option<Lane>,
    message: Option<Arc<Message>>,
    place: Place,
}

#[derive(Default)]
struct State {
    items: HashMap<u64, Item>,
    /// Those that are here and the first of their lane.
    ready: BTreeSet<(Instant, u64)>,
    lanes: HashMap<Lane, BTreeSet<u64>>,
    seats: BTreeSet<u64>,
    next_seat: u64,
    next_delivery: u64,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, messages: Vec<Waiting>) {
        let mut state = self.state();
        for message in messages {
            state.add(message);
        }
        drop(state);
        self.wake.notify_waiters();
    }

    /// A new seat; its number goes to the other calls.
    pub(crate) fn sit(&self) -> u64 {
        let mut state = self.state();
        state.next_seat += 1;
        let seat = state.next_seat;
        state.seats.insert(seat);
        seat
    }

    /// Gives back what the seat holds.
    pub(crate) fn leave(&self, seat: u64) {
        self.state().leave(seat);
        self.wake.notify_waiters();
    }

    pub(crate) fn is_deserted(&self) -> bool {
        self.state().seats.is_empty()
    }

    pub(crate) fn sequences(&self) -> Vec<u64> {
        self.state().items.keys().copied().collect()
    }

    /// Waits for at least one message. Nothing is taken before the moment of returning, so the future may be dropped.
    pub(crate) async fn pull(&self, seat: u64, max: usize) -> Vec<Delivery> {
        loop {
            let woken = self.wake.notified();
            tokio::pin!(woken);
            // From here on no wake-up is missed, not even one between the look and the wait.
            woken.as_mut().enable();
            let next = match self.state().take(seat, max.max(1), Instant::now()) {
                Ok(deliveries) => return deliveries,
                Err(next) => next,
            };
            match next {
                None => woken.await,
                Some(due) => {
                    tokio::select! {
                        () = woken => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
            }
        }
    }

    /// Reserves a delivery for its verdict, if it is still the newest of its message.
    pub(crate) fn hold(&self, receipt: &[u8]) -> Result<Held> {
        self.state().hold(receipt)
    }

    /// The verdict could not be written down: the delivery is as it was.
    pub(crate) fn resume(&self, sequence: u64) {
        self.state().resume(sequence);
        self.wake.notify_waiters();
    }

    /// The message is done with.
    pub(crate) fn finish(&self, sequence: u64) {
        self.state().finish(sequence);
        self.wake.notify_waiters();
    }

    /// The message is to be delivered again.
    pub(crate) fn retry(&self, sequence: u64, delay: Duration) {
        let now = Instant::now();
        // A delay beyond the end of time is as good as a century.
        let due = now
            .checked_add(delay)
            .unwrap_or(now + Duration::from_secs(100 * 365 * 86_400));
        self.state().put_back(sequence, due);
        self.wake.notify_waiters();
    }
}

impl State {
    fn add(&mut self, message: Waiting) {
        let Waiting {
            sequence,
            due,
            attempts,
            lane,
            message,
        } = message;
        let first = match lane {
            None => true,
            Some(lane) => {
                let lane = self.lanes.entry(lane).or_default();
                lane.insert(sequence);
                lane.first() == Some(&sequence)
            }
        };
        self.items.insert(
            sequence,
            Item {
                due,
                attempts,
                lane,
                message,
                place: Place::Here,
            },
        );
        if first {
            self.ready.insert((due, sequence));
        }
    }

    /// What is due, or when to look again.
    fn take(
        &mut self,
        seat: u64,
        max: usize,
        now: Instant,
    ) -> Result<Vec<Delivery>, Option<Instant>> {
        let mut deliveries = Vec::new();
        while deliveries.len() < max {
            match self.ready.first() {
                Some((due, sequence)) if *due <= now => {
                    let sequence = *sequence;
                    self.ready.pop_first();
                    deliveries.extend(self.send(sequence, seat));
                }
                next => {
                    if deliveries.is_empty() {
                        return Err(next.map(|(due, _)| *due));
                    }
                    break;
                }
            }
        }
        Ok(deliveries)
    }

    fn send(&mut self, sequence: u64, seat: u64) -> Option<Delivery> {
        self.next_delivery += 1;
        let delivery = self.next_delivery;
        let item = self.items.get_mut(&sequence)?;
        item.attempts = item.attempts.saturating_add(1);
        item.place = Place::Out { seat, delivery };
        let receipt = [sequence.to_be_bytes(), delivery.to_be_bytes()].concat();
        Some(Delivery {
            sequence,
            attempt: item.attempts,
            receipt,
            message: item.message.clone(),
        })
    }

    fn hold(&mut self, receipt: &[u8]) -> Result<Held> {
        let (sequence, delivery) = parse(receipt)?;
        let over = || {
            Error::not_found("the delivery is over: it was settled, or the message went out again")
        };
        let item = self.items.get_mut(&sequence).ok_or_else(over)?;
        match item.place {
            Place::Out {
                seat,
                delivery: newest,
            } if newest == delivery => {
                item.place = Place::Held { seat, delivery };
                Ok(Held {
                    sequence,
                    attempts: item.attempts,
                    lane: item.lane,
                })
            }
            _ => Err(over()),
        }
    }

    fn resume(&mut self, sequence: u64) {
        let Some(item) = self.items.get_mut(&sequence) else {
            return;
        };
        let Place::Held { seat, delivery } = item.place else {
            return;
        };
        item.place = Place::Out { seat, delivery };
        if !self.seats.contains(&seat) {
            self.put_back(sequence, Instant::now());
        }
    }

    fn put_back(&mut self, sequence: u64, due: Instant) {
        // What is out or held is the first of its lane, so it is ready again whatever its lane.
        if let Some(item) = self
            .items
            .get_mut(&sequence)
            .filter(|item| item.place != Place::Here)
        {
            item.place = Place::Here;
            item.due = due;
            self.ready.insert((due, sequence));
        }
    }

    fn finish(&mut self, sequence: u64) {
        let Some(item) = self.items.remove(&sequence) else {
            return;
        };
        self.ready.remove(&(item.due, sequence));
        let Some(lane) = item.lane else { return };
        let Some(members) = self.lanes.get_mut(&lane) else {
            return;
        };
        members.remove(&sequence);
        match members.first() {
            None => drop(self.lanes.remove(&lane)),
            Some(next) => {
                if let Some(item) = self
                    .items
                    .get(next)
                    .filter(|item| item.place == Place::Here)
                {
                    self.ready.insert((item.due, *next));
                }
            }
        }
    }

    fn leave(&mut self, leaving: u64) {
        if !self.seats.remove(&leaving) {
            return;
        }
        let is_its = |item: &Item| matches!(item.place, Place::Out { seat, .. } if seat == leaving);
        let its: Vec<_> = self
            .items
            .iter()
            .filter(|(_, item)| is_its(item))
            .map(|(sequence, _)| *sequence)
            .collect();
        let now = Instant::now();
        for sequence in its {
            self.put_back(sequence, now);
        }
    }
}

fn parse(receipt: &[u8]) -> Result<(u64, u64)> {
    let halves = receipt
        .split_first_chunk::<8>()
        .and_then(|(first, rest)| Some((*first, <[u8; 8]>::try_from(rest).ok()?)));
    let (sequence, delivery) = halves.ok_or_else(|| {
        Error::invalid(format!(
            "a receipt of {} bytes; expected the 16 bytes of a delivery",
            receipt.len()
        ))
    })?;
    Ok((u64::from_be_bytes(sequence), u64::from_be_bytes(delivery)))
}

#[cfg(test)]
mod tests;
