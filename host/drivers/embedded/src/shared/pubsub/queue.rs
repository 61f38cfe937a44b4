//! Work of one consumer group: messages that are ready or will be, messages that are out, and those that must wait for
//! another one with the same ordering key.

mod state;

use parking_lot::{Mutex, MutexGuard};
use state::{DeliveryState, State};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, time::Instant};
use wythe_blocks::{
    Result,
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
    /// Number in the order of publishing.
    pub sequence: u64,
    pub due: Instant,
    /// Deliveries so far.
    pub attempts: u32,
    pub lane: Option<Lane>,
    /// Bytes of the message, as its operator sees them.
    pub bytes: u64,
    /// Absent where it is kept elsewhere and read when it is delivered.
    pub message: Option<Arc<Stored>>,
}

/// A message as it is kept, and when it was published, in nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub message: Message,
    pub published: u64,
}

/// The number of the oldest message, and the message where it is here.
pub(crate) type Oldest = (u64, Option<Arc<Stored>>);

/// The messages of a queue that are here and out.
pub(crate) struct Depth {
    pub messages: usize,
    pub bytes: u64,
    pub oldest: Option<Oldest>,
}

/// A message of a queue as an operator sees it.
pub(crate) struct Seen {
    pub sequence: u64,
    pub attempts: u32,
    pub is_out: bool,
    pub message: Option<Arc<Stored>>,
}

/// A message that goes out to a member.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub sequence: u64,
    pub attempt: u32,
    pub receipt: Receipt,
    pub message: Option<Arc<Stored>>,
}

/// A delivery whose verdict is being written down; nobody else can take or settle it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub sequence: u64,
    pub attempts: u32,
    pub lane: Option<Lane>,
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Notify,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub(crate) fn add(&self, messages: Vec<Waiting>) {
        let mut state = self.state();
        for message in messages {
            state.add(message);
        }
        drop(state);
        self.wake.notify_waiters();
    }

    /// A new member; its number goes to the other calls.
    pub(crate) fn join(&self) -> u64 {
        let mut state = self.state();
        state.next_member += 1;
        let member = state.next_member;
        state.members.insert(member);
        member
    }

    /// Gives back what the member holds.
    pub(crate) fn leave(&self, member: u64) {
        self.state().leave(member);
        self.wake.notify_waiters();
    }

    pub(crate) fn is_deserted(&self) -> bool {
        self.state().members.is_empty()
    }

    pub(crate) fn members(&self) -> usize {
        self.state().members.len()
    }

    /// Returns the messages that are here and out, in the order of publishing.
    pub(crate) fn look(&self) -> Vec<Seen> {
        let state = self.state();
        let items = state.items.iter();
        let mut seen: Vec<_> = items
            .map(|(sequence, item)| Seen {
                sequence: *sequence,
                attempts: item.attempts,
                is_out: item.state != DeliveryState::Here,
                message: item.message.clone(),
            })
            .collect();
        seen.sort_unstable_by_key(|one| one.sequence);
        seen
    }

    /// Returns how many messages are here and out, with their bytes and the oldest of them.
    pub(crate) fn depth(&self) -> Depth {
        let mut state = self.state();
        let oldest = state.oldest();
        let message = |one: &u64| state.items.get(one).and_then(|item| item.message.clone());
        Depth {
            messages: state.items.len(),
            bytes: state.bytes,
            oldest: oldest.map(|one| (one, message(&one))),
        }
    }

    pub(crate) fn sequences(&self) -> Vec<u64> {
        self.state().items.keys().copied().collect()
    }

    /// Waits for at least one message. Nothing is taken before the moment of returning, so the future may be dropped.
    pub(crate) async fn pull(&self, member: u64, max: usize) -> Vec<Delivery> {
        loop {
            let woken = self.wake.notified();
            tokio::pin!(woken);
            // From here on no wake-up is missed, not even one between the look and the wait.
            woken.as_mut().enable();
            let next = match self.state().take(member, max.max(1), Instant::now()) {
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

    /// Reserves a message that no member has, as if it were delivered to nobody.
    pub(crate) fn hold_idle(&self, sequence: u64) -> Result<Held> {
        self.state().hold_idle(sequence)
    }

    /// Reserves up to `limit` messages that no member has.
    pub(crate) fn hold_some(&self, limit: usize) -> Vec<Held> {
        let mut state = self.state();
        let idle = state.items.iter();
        let idle = idle.filter(|(_, item)| item.state == DeliveryState::Here);
        let idle: Vec<_> = idle.map(|(sequence, _)| *sequence).take(limit).collect();
        let held = idle.into_iter().filter_map(|one| state.hold_idle(one).ok());
        held.collect()
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

#[cfg(test)]
mod tests;
