//! The lane: slices of CPU time that calls take once they have computed for a whole tick, shared by tenants first.

use super::share::{Position, Queue, Share};
use parking_lot::{Mutex, MutexGuard};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use wythe_manifest::Name;

/// The slices that calls share once they have computed for a whole tick: each tick brings as many as there are cores
/// but one, so that short calls always find a free core, and a slice is never held while a guest waits.
///
/// Slices go to tenants by stride scheduling (Waldspurger and Weihl, 1995): each tenant has a position, which goes on by
/// the CPU time that its calls use, divided by its weight, and the next slice is of the one that is furthest behind.
/// Within a tenant, young calls go first, and the others in turn.
pub struct Lane {
    /// Slices of this tick that nobody was waiting for: whoever comes first may have them.
    free: AtomicUsize,
    width: usize,
    ticks: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    shares: HashMap<Name, Weak<Share>>,
    /// Shares of which a call waits, or did at the last tick.
    active: Vec<Arc<Share>>,
    /// The furthest position that was given a slice.
    now: Position,
}

impl Lane {
    pub fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Lane {
            free: AtomicUsize::new(0),
            width: cores.saturating_sub(1).max(1),
            ticks: AtomicU64::new(0),
            state: Mutex::default(),
        })
    }

    /// The share of a tenant, of this weight from now on.
    pub fn share(&self, tenant: &Name, weight: u32) -> Arc<Share> {
        let mut state = self.lock();
        let known = state.shares.get(tenant).and_then(Weak::upgrade);
        if let Some(share) = known {
            share.set_weight(weight);
            return share;
        }
        state.shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share::new(weight));
        state.shares.insert(tenant.clone(), Arc::downgrade(&share));
        share
    }

    /// Ticks since the host began.
    pub fn now(&self) -> u64 {
        self.ticks.load(Relaxed)
    }

    /// Counts a tick, before the epoch moves, so that whoever sees the epoch moved finds the tick counted.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Relaxed);
        let left = self.lock().give(self.width);
        self.free.store(left, Relaxed);
    }

    /// Waits for a slice; not at all where this tick has one left.
    pub async fn slice(&self, share: &Arc<Share>, young: bool) {
        let take = |free: usize| free.checked_sub(1);
        if self.free.fetch_update(Relaxed, Relaxed, take).is_ok() {
            return;
        }
        let queue: &Queue = share.queue(young);
        // It counts as one who waits before the share is active: a tick in between leaves it so.
        let waiting = queue.enter();
        self.lock().join(share);
        waiting.served().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    /// Makes a share one of those that slices are given to.
    fn join(&mut self, share: &Arc<Share>) {
        if share.join(self.now) {
            self.active.push(share.clone());
        }
    }

    /// Gives up to `limit` slices, and returns how many nobody waits for.
    fn give(&mut self, limit: usize) -> usize {
        self.active.retain(|share| share.stays());
        let positions = self.active.iter().enumerate();
        let positions = positions.map(|(index, share)| Reverse((share.position(), index)));
        let mut heap: BinaryHeap<_> = positions.collect();
        let mut left = limit;
        while left > 0
            && let Some(Reverse((position, index))) = heap.pop()
        {
            let share = &self.active[index];
            if share.give() {
                (left, self.now) = (left - 1, self.now.max(position));
                heap.push(Reverse((share.position(), index)));
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::share::{BURST, OLD_TURN},
        *,
    };
    use futures::FutureExt as _;
    use std::{future::Future, pin::Pin};

    type Slice = Pin<Box<dyn Future<Output = ()>>>;

    /// A lane of so many slices a tick, none of which is free.
    fn lane(width: usize) -> Arc<Lane> {
        let mut lane = Arc::into_inner(Lane::new()).expect("nobody has it");
        lane.width = width;
        Arc::new(lane)
    }

    fn share(lane: &Arc<Lane>, tenant: &str, weight: u32) -> Arc<Share> {
        lane.share(&tenant.parse().expect("a name"), weight)
    }

    fn ask(lane: &Arc<Lane>, share: &Arc<Share>, young: bool) -> Slice {
        let (lane, share) = (lane.clone(), share.clone());
        let mut slice: Slice = Box::pin(async move { lane.slice(&share, young).await });
        assert!((&mut slice).now_or_never().is_none(), "a slice was free");
        slice
    }

    fn has(slice: &mut Slice) -> bool {
        slice.now_or_never().is_some()
    }

    /// The slices of each tenant after so many ticks, where each has so many calls that compute all the time.
    fn compete(width: usize, tenants: &[(u32, usize)], ticks: usize) -> Vec<usize> {
        let lane = lane(width);
        let named = |(index, (weight, calls)): (usize, &(u32, usize))| {
            let share = share(&lane, &format!("t{index}"), *weight);
            let calls: Vec<_> = (0..*calls).map(|_| ask(&lane, &share, false)).collect();
            (share, calls, 0)
        };
        let mut all: Vec<_> = tenants.iter().enumerate().map(named).collect();
        for _ in 0..ticks {
            lane.tick();
            lane.free.store(0, Relaxed);
            for (share, calls, slices) in &mut all {
                for call in calls {
                    if has(call) {
                        share.charge(1);
                        *slices += 1;
                        *call = ask(&lane, share, false);
                    }
                }
            }
        }
        all.into_iter().map(|(_, _, slices)| slices).collect()
    }

    /// Slices that calls of this share have within so many ticks.
    fn serve(lane: &Lane, ticks: usize, share: &Share, calls: &mut Vec<Slice>) -> usize {
        let before = calls.len();
        for _ in 0..ticks {
            lane.tick();
            lane.free.store(0, Relaxed);
            calls.retain_mut(|slice| {
                let has = has(slice);
                share.charge(u32::from(has));
                !has
            });
        }
        before - calls.len()
    }

    #[test]
    fn a_slice_that_nobody_waits_for_is_free_until_the_next_tick() {
        let lane = lane(3);
        let share = share(&lane, "t", 100);
        lane.tick();
        for _ in 0..3 {
            assert!(lane.slice(&share, false).now_or_never().is_some());
        }
        assert!(lane.slice(&share, false).now_or_never().is_none());
        lane.tick();
        assert!(lane.slice(&share, true).now_or_never().is_some());
    }

    #[test]
    fn a_call_that_waits_is_given_one_slice_and_the_rest_is_free() {
        let lane = lane(3);
        let share = share(&lane, "t", 100);
        let mut slice = ask(&lane, &share, false);
        lane.tick();
        assert_eq!(lane.free.load(Relaxed), 2);
        // It has not been polled since, and is given no other.
        lane.tick();
        assert_eq!(lane.free.load(Relaxed), 3);
        assert!(has(&mut slice));
        lane.free.store(0, Relaxed);
        let mut next = ask(&lane, &share, false);
        lane.tick();
        assert_eq!(lane.free.load(Relaxed), 2);
        assert!(has(&mut next));
    }

    #[test]
    fn a_slice_that_was_given_to_a_call_that_is_gone_is_of_the_next() {
        let lane = lane(1);
        let share = share(&lane, "t", 100);
        let gone = ask(&lane, &share, false);
        lane.tick();
        drop(gone);
        lane.free.store(0, Relaxed);
        assert!(lane.slice(&share, false).now_or_never().is_some());
        assert!(lane.slice(&share, false).now_or_never().is_none());
    }

    #[test]
    fn young_calls_go_first_and_old_ones_are_not_forgotten() {
        let lane = lane(1);
        let share = share(&lane, "t", 100);
        let mut old: Vec<_> = (0..2).map(|_| ask(&lane, &share, false)).collect();
        let mut young: Vec<_> = (0..20).map(|_| ask(&lane, &share, true)).collect();
        let mut served = Vec::new();
        for _ in 0..2 * OLD_TURN {
            lane.tick();
            let before = old.len();
            old.retain_mut(|slice| !has(slice));
            served.push(old.len() < before);
            young.retain_mut(|slice| !has(slice));
        }
        assert!(served.contains(&true) && served.contains(&false));
        assert!(young.len() >= 12, "{} young calls wait", young.len());
    }

    #[test]
    fn tenants_of_equal_weight_have_equal_time_however_many_their_calls() {
        for width in [1, 3] {
            let calls = [1, 2, 4, 8, 16, 32, 64, 128].map(|calls| (100, calls.max(2 * width)));
            let slices = compete(width, &calls, 4_000);
            let (few, many) = (slices.iter().min(), slices.iter().max());
            assert!(
                many.zip(few).is_some_and(|(many, few)| many - few <= width),
                "{slices:?}"
            );
        }
    }

    #[test]
    fn a_tenant_of_weight_three_has_three_times_the_time_of_one() {
        let slices = compete(1, &[(300, 8), (100, 64)], 4_000);
        assert!(slices[0].abs_diff(3_000) <= 4, "{slices:?}");
    }

    #[test]
    fn time_that_was_not_of_the_lane_counts_and_a_rest_is_not_saved_up() {
        let lane = lane(1);
        let (short, long) = (share(&lane, "short", 100), share(&lane, "long", 100));
        let burst = usize::try_from(BURST).expect("a small number");
        let mut calls: Vec<_> = (0..200).map(|_| ask(&lane, &long, false)).collect();
        assert_eq!(serve(&lane, 10, &long, &mut calls), 10);
        // One that rested is behind the others by a burst, and no more.
        let mut rested: Vec<_> = (0..200).map(|_| ask(&lane, &short, false)).collect();
        let first = serve(&lane, burst, &short, &mut rested);
        assert!(first >= burst / 5, "{first}");
        let after = serve(&lane, 40, &short, &mut rested);
        assert!((19..=21).contains(&after), "{after}");
        // Short calls use time beside the lane, and the lane makes up for it.
        short.charge(20);
        assert!(serve(&lane, 19, &long, &mut calls) >= 18);
    }

    #[test]
    fn a_wait_that_is_given_up_takes_no_slice_along() {
        let lane = lane(1);
        let share = share(&lane, "t", 100);
        drop(ask(&lane, &share, false));
        let mut next = ask(&lane, &share, false);
        lane.tick();
        assert!(has(&mut next));
        drop((next, share));
        lane.tick();
        assert!(lane.lock().active.is_empty());
        lane.share(&"u".parse().expect("a name"), 1);
        assert_eq!(
            lane.lock().shares.len(),
            1,
            "a tenant that is gone is forgotten"
        );
    }
}
