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
/// This part is kept for apps and tenants that have few slots, and half of it for those that have none.
const RESERVE: usize = 8;
const FEW: usize = 8;

/// Takes slots: an app, or one component that is a plugin, of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    own: Key,
    tenant: Key,
}

/// Counts slots.
type Key = u64;

impl Holder {
    /// Differs from every other holder of the process; `tenant` is the number of its tenant's ledger.
    pub fn of(tenant: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Holder {
            own: NEXT.fetch_add(1, Relaxed),
            tenant,
        }
    }
}

/// Slots that are held, by key.
#[derive(Default)]
struct Counts(HashMap<Key, usize>);

impl Counts {
    fn of(&self, key: Key) -> usize {
        self.0.get(&key).copied().unwrap_or(0)
    }

    fn add(&mut self, key: Key) {
        *self.0.entry(key).or_default() += 1;
    }

    fn remove(&mut self, key: Key) {
        let Some(held) = self.0.get_mut(&key) else {
            return;
        };
        *held -= 1;
        if *held == 0 {
            self.0.remove(&key);
        }
    }
}

/// The slots of one pool.
pub struct Slots {
    total: usize,
    state: Mutex<State>,
}

struct State {
    free: usize,
    held: Counts,
    held_by_tenants: Counts,
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
            held: Counts::default(),
            held_by_tenants: Counts::default(),
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
        self.lock().held.of(holder.own)
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
        let held = state.held.of(holder.own);
        // A half of the reserve is kept from apps that have many, the other half from their tenants.
        let reserved = [held, state.held_by_tenants.of(holder.tenant)].map(|held| match held {
            0 => 0,
            few if few < FEW => self.total / RESERVE / 4,
            _ => self.total / RESERVE / 2,
        });
        held < self.share() && state.free > reserved.iter().sum()
    }

    fn take_from(self: &Arc<Self>, state: &mut State, holder: Holder) -> Option<Slot> {
        if !self.may_take(state, holder) {
            return None;
        }
        state.free -= 1;
        state.held.add(holder.own);
        state.held_by_tenants.add(holder.tenant);
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
            state.held.remove(self.holder.own);
            state.held_by_tenants.remove(self.holder.tenant);
            // One that has few now may take more than the one that came back.
            std::iter::from_fn(|| self.slots.serve(&mut state)).collect::<Vec<_>>()
        };
        for (found, slot) in served {
            // Where nobody waits any more the slot comes back, and is another's.
            let _unwanted = found.send(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Holder, Slot, Slots};
    use futures::FutureExt as _;
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    };

    /// A holder that is alone in its tenant.
    fn alone() -> Holder {
        static TENANTS: AtomicU64 = AtomicU64::new(0);
        Holder::of(TENANTS.fetch_add(1, Relaxed))
    }

    fn take_all(slots: &Arc<Slots>, holder: Holder) -> Vec<Slot> {
        std::iter::from_fn(|| slots.try_take(holder)).collect()
    }

    #[test]
    fn an_app_has_no_more_than_its_share() {
        let slots = Slots::new(100);
        let held = take_all(&slots, alone());
        assert_eq!(held.len(), 50);
    }

    #[test]
    fn some_are_kept_for_those_that_have_few_or_none() {
        let slots = Slots::new(100);
        let greedy = [alone(), alone()];
        let held: Vec<_> = greedy.map(|holder| take_all(&slots, holder)).into();
        let taken: usize = held.iter().map(Vec::len).sum();
        assert_eq!(taken, 100 - 12);
        // Some of the reserve goes to a few each, the rest to the first of each that has none.
        let small = alone();
        let few = take_all(&slots, small);
        assert_eq!(few.len(), 6);
        let first: Vec<_> = (0..6).filter_map(|_| slots.try_take(alone())).collect();
        assert_eq!(first.len(), 6);
        assert!(slots.try_take(alone()).is_none());
    }

    #[test]
    fn many_apps_of_one_tenant_leave_some_to_other_tenants() {
        let slots = Slots::new(100);
        let apps: Vec<_> = (0..1_000).map(|_| Holder::of(u64::MAX)).collect();
        let held: Vec<_> = apps.iter().filter_map(|app| slots.try_take(*app)).collect();
        assert_eq!(held.len(), 94);
        let others: Vec<_> = (0..100).filter_map(|_| slots.try_take(alone())).collect();
        assert_eq!(others.len(), 6);
    }

    #[tokio::test]
    async fn who_waits_is_served_in_turn_as_far_as_it_may() {
        let slots = Slots::new(4);
        let (full, other) = (alone(), alone());
        let mut held = take_all(&slots, full);
        let _others = take_all(&slots, other);
        assert_eq!(held.len(), 2);
        let third = alone();
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
        let (greedy, other) = (alone(), alone());
        let _held = take_all(&slots, greedy);
        let refused = slots.refuse(greedy).to_string();
        let expected = "the app has 2 instances, which is its share of this host's 4";
        assert_eq!(refused, expected);
        let refused = slots.refuse(other).to_string();
        assert_eq!(refused, "every instance of this host is in use");
    }
}
