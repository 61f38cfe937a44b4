//! The lane: slices of CPU time that calls take in turn once they have computed for a whole tick.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};
use tokio::sync::Semaphore;

/// One tick in so many is for those that compute for long, so that a stream of young calls does not stop them.
const OLD_TURN: u64 = 4;

/// The slices that calls share once they have computed for a whole tick: each tick brings as many as there are cores
/// but one, so that short calls always find a free core. Slices are taken in turn, young calls first, and are never
/// held while a guest waits.
pub struct Lane {
    young: Queue,
    old: Queue,
    /// Slices of this tick that nobody was waiting for: whoever comes first may have them.
    free: AtomicUsize,
    width: usize,
    ticks: AtomicU64,
}

struct Queue {
    slices: Semaphore,
    waiting: AtomicUsize,
}

impl Queue {
    fn new() -> Self {
        Queue {
            slices: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Gives up to `limit` slices, and no more than somebody waits for; returns how many were given.
    fn give(&self, limit: usize) -> usize {
        let open = self.waiting.load(Relaxed);
        let open = open.saturating_sub(self.slices.available_permits());
        let given = open.min(limit);
        self.slices.add_permits(given);
        given
    }

    async fn slice(&self) {
        let _waiting = Waiting::new(&self.waiting);
        if let Ok(permit) = self.slices.acquire().await {
            permit.forget();
        }
    }
}

/// A waiter, counted for as long as it lives: a call may be dropped while it waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Lane {
    pub fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Lane {
            young: Queue::new(),
            old: Queue::new(),
            free: AtomicUsize::new(0),
            width: cores.saturating_sub(1).max(1),
            ticks: AtomicU64::new(0),
        })
    }

    /// Ticks since the host began.
    pub fn now(&self) -> u64 {
        self.ticks.load(Relaxed)
    }

    /// Counts a tick, before the epoch moves, so that whoever sees the epoch moved finds the tick counted.
    pub fn tick(&self) {
        let tick = self.ticks.fetch_add(1, Relaxed);
        let (first, second) = match tick % OLD_TURN {
            0 => (&self.old, &self.young),
            _ => (&self.young, &self.old),
        };
        let mut left = self.width - first.give(self.width);
        left -= second.give(left);
        self.free.store(left, Relaxed);
    }

    /// Waits for a slice; not at all where this tick has one left.
    pub async fn slice(&self, young: bool) {
        let take = |free: usize| free.checked_sub(1);
        if self.free.fetch_update(Relaxed, Relaxed, take).is_err() {
            let queue = if young { &self.young } else { &self.old };
            queue.slice().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lane, OLD_TURN};
    use futures::FutureExt as _;
    use std::{future::Future, pin::Pin, sync::Arc};

    type Slice = Pin<Box<dyn Future<Output = ()>>>;

    fn ask(lane: &Arc<Lane>, young: bool) -> Slice {
        let lane = lane.clone();
        let mut slice: Slice = Box::pin(async move { lane.slice(young).await });
        assert!((&mut slice).now_or_never().is_none(), "a slice was free");
        slice
    }

    fn has(slice: &mut Slice) -> bool {
        slice.now_or_never().is_some()
    }

    #[test]
    fn a_slice_that_nobody_waits_for_is_free_until_the_next_tick() {
        let lane = Lane::new();
        lane.tick();
        for _ in 0..lane.width {
            assert!(lane.slice(false).now_or_never().is_some());
        }
        assert!(lane.slice(false).now_or_never().is_none());
        lane.tick();
        assert!(lane.slice(true).now_or_never().is_some());
    }

    #[test]
    fn young_calls_go_first_and_old_ones_are_not_forgotten() {
        let lane = Lane::new();
        lane.tick();
        lane.free.store(0, super::Relaxed);
        let count = lane.width * OLD_TURN as usize;
        let mut old: Vec<_> = (0..count).map(|_| ask(&lane, false)).collect();
        let mut young: Vec<_> = (0..count).map(|_| ask(&lane, true)).collect();
        lane.tick();
        assert_eq!(
            young
                .iter_mut()
                .filter_map(|y| has(y).then_some(()))
                .count(),
            lane.width
        );
        assert_eq!(
            old.iter_mut().filter_map(|o| has(o).then_some(())).count(),
            0
        );
        young.clear();
        old.truncate(1);
        lane.tick();
        assert!(has(&mut old[0]));
    }

    #[test]
    fn old_calls_get_their_turn_among_young_ones() {
        let lane = Lane::new();
        lane.tick();
        lane.free.store(0, super::Relaxed);
        let mut old = ask(&lane, false);
        let _young: Vec<_> = (0..lane.width * 8).map(|_| ask(&lane, true)).collect();
        for _ in 0..OLD_TURN {
            lane.tick();
        }
        assert!(has(&mut old));
    }
}
