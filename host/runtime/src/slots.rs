//! Slots of a pool of instances: no app has more than its share, and some are kept for apps that have few or none.

use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::oneshot;
use wythe_blocks::{Error, Result};

/// A call waits this long for a slot.
const WAIT: Duration = Duration::from_secs(1);
/// An app has this part of all slots at most.
const SHARE: usize = 2;
/// This part is kept for apps that have few slots, and half of it for those that have none.
const RESERVE: usize = 8;
const FEW: usize = 8;

/// Takes slots: an app, or one component that is a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder(u64);

impl Holder {
    /// Differs from every other holder of the process.
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Holder(NEXT.fetch_add(1, Relaxed))
    }
}

/// The slots of one pool.
pub struct Slots {
    total: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    held: HashMap<Holder, usize>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    holder: Holder,
    found: oneshot::Sender<Slot>,
}

/// One slot, given back when it is dropped.
pub struct Slot {
    slots: Arc<Slots>,
    holder: Holder,
}

impl Slots {
    pub fn new(total: usize) -> Arc<Self> {
        let state = State {
            free: total,
            held: HashMap::new(),
            waiting: VecDeque::new(),
        };
        Arc::new(Slots {
            total,
            state: Mutex::new(state),
        })
    }

    /// A slot, if the holder may have one now.
    pub fn try_take(self: &Arc<Self>, holder: Holder) -> Option<Slot> {
        let mut state = self.lock();
        self.take_from(&mut state, holder)
    }

    /// A slot, or `exhausted` when there is none for the holder within a second. Who waits is served in turn.
    pub async fn take(self: &Arc<Self>, holder: Holder) -> Result<Slot> {
        let found = {
            let mut state = self.lock();
            if let Some(slot) = self.take_from(&mut state, holder) {
                return Ok(slot);
            }
            let (found, finding) = oneshot::channel();
            state.waiting.retain(|waiting| !waiting.found.is_closed());
            state.waiting.push_back(Waiting { holder, found });
            finding
        };
        match tokio::time::timeout(WAIT, found).await {
            Ok(Ok(slot)) => Ok(slot),
            _ => Err(self.refuse(holder)),
        }
    }

    /// Slots that a holder has now.
    pub fn held(&self, holder: Holder) -> usize {
        self.lock().held.get(&holder).copied().unwrap_or(0)
    }

    fn refuse(&self, holder: Holder) -> Error {
        let held = self.held(holder);
        let error = match held >= self.share() {
            true => Error::exhausted(format!(
                "the app has {held} instances, which is its share of this host's {}",
                self.total
            )),
            false => Error::exhausted("every instance of this host is in use"),
        };
        error.with_retry_after(WAIT)
    }

    fn share(&self) -> usize {
        (self.total / SHARE).max(1)
    }

    fn may_take(&self, state: &State, holder: Holder) -> bool {
        let held = state.held.get(&holder).copied().unwrap_or(0);
        let reserve = self.total / RESERVE;
        let reserved = match held {
            0 => 0,
            few if few < FEW => reserve / 2,
            _ => reserve,
        };
        held < self.share() && state.free > reserved
    }

    fn take_from(self: &Arc<Self>, state: &mut State, holder: Holder) -> Option<Slot> {
        if !self.may_take(state, holder) {
            return None;
        }
        state.free -= 1;
        *state.held.entry(holder).or_default() += 1;
        Some(Slot {
            slots: self.clone(),
            holder,
        })
    }

    /// Gives what is free now to the first in line that may have it.
    fn serve(self: &Arc<Self>, state: &mut State) -> Option<(oneshot::Sender<Slot>, Slot)> {
        let gone = |waiting: &Waiting| waiting.found.is_closed();
        state.waiting.retain(|waiting| !gone(waiting));
        let next = state
            .waiting
            .iter()
            .position(|waiting| self.may_take(state, waiting.holder))?;
        let waiting = state.waiting.remove(next)?;
        let slot = self.take_from(state, waiting.holder)?;
        Some((waiting.found, slot))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let served = {
            let mut state = self.slots.lock();
            state.free += 1;
            let held = state.held.get_mut(&self.holder).map(|held| {
                *held -= 1;
                *held
            });
            if held == Some(0) {
                state.held.remove(&self.holder);
            }
            self.slots.serve(&mut state)
        };
        if let Some((found, slot)) = served {
            // Where nobody waits any more the slot comes back, and is another's.
            let _unwanted = found.send(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Holder, Slot, Slots};
    use futures::FutureExt as _;
    use std::sync::Arc;

    fn take_all(slots: &Arc<Slots>, holder: Holder) -> Vec<Slot> {
        std::iter::from_fn(|| slots.try_take(holder)).collect()
    }

    #[test]
    fn an_app_has_no_more_than_its_share() {
        let slots = Slots::new(100);
        let held = take_all(&slots, Holder::new());
        assert_eq!(held.len(), 50);
    }

    #[test]
    fn some_are_kept_for_those_that_have_few_or_none() {
        let slots = Slots::new(100);
        let greedy = [Holder::new(), Holder::new()];
        let held: Vec<_> = greedy.map(|holder| take_all(&slots, holder)).into();
        let taken: usize = held.iter().map(Vec::len).sum();
        assert_eq!(taken, 100 - 12);
        // Some of the reserve goes to a few each, the rest to the first of each that has none.
        let small = Holder::new();
        let few = take_all(&slots, small);
        assert_eq!(few.len(), 6);
        let first: Vec<_> = (0..6)
            .filter_map(|_| slots.try_take(Holder::new()))
            .collect();
        assert_eq!(first.len(), 6);
        assert!(slots.try_take(Holder::new()).is_none());
    }

    #[tokio::test]
    async fn who_waits_is_served_in_turn_as_far_as_it_may() {
        let slots = Slots::new(4);
        let (full, other) = (Holder::new(), Holder::new());
        let mut held = take_all(&slots, full);
        let _others = take_all(&slots, other);
        assert_eq!(held.len(), 2);
        let third = Holder::new();
        let mut over = Box::pin(slots.take(full));
        let mut next = Box::pin(slots.take(third));
        assert!((&mut over).now_or_never().is_none());
        assert!((&mut next).now_or_never().is_none());
        held.pop();
        // It has one left, so it may have another, and it came first.
        let again = (&mut over).now_or_never().and_then(Result::ok);
        assert!(again.is_some() && (&mut next).now_or_never().is_none());
        // A wait that was given up takes nothing along.
        drop((again, next));
        assert!(slots.try_take(third).is_some());
    }

    #[test]
    fn a_refusal_says_whose_fault_it_is() {
        let slots = Slots::new(4);
        let (greedy, other) = (Holder::new(), Holder::new());
        let _held = take_all(&slots, greedy);
        let refused = slots.refuse(greedy).to_string();
        let expected = "the app has 2 instances, which is its share of this host's 4";
        assert_eq!(refused, expected);
        let refused = slots.refuse(other).to_string();
        assert_eq!(refused, "every instance of this host is in use");
    }
}
