//! CPU time: a call that spins waits its turn behind others, and a call that used up its time is ended.
//!
//! Time is sampled: the engine's epoch moves every 2 ms, and a call is charged for each move that finds it in its
//! own code. What moves while it waits in a host call is not charged.

use crate::ctx::HasCpu;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use wasmtime::{AsContextMut, CallHook, Store, UpdateDeadline};

/// Between two ticks of the engine's epoch; CPU time is counted in ticks.
pub const TICK: Duration = Duration::from_millis(2);

/// Ticks after which a call no longer goes before those that compute for long.
const YOUNG: u32 = 10;
/// One tick in so many is for those that compute for long, so that a stream of young calls does not stop them.
const OLD_TURN: u64 = 4;

/// The slices that calls share once they have computed for a whole tick: each tick brings as many as there are cores
/// but one, so that short calls always find a free core. Slices are taken in turn, young calls first, and are never
/// held while a guest waits.
pub struct Lane {
    young: Queue,
    old: Queue,
    /// Of this tick, for whoever comes first: what nobody was waiting for.
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

    /// Gives up to `most` slices, and no more than somebody waits for; how many were given.
    fn give(&self, most: usize) -> usize {
        let open = self.waiting.load(Relaxed);
        let open = open.saturating_sub(self.slices.available_permits());
        let given = open.min(most);
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

/// Counted for as long as it lives: a call may be dropped while it waits.
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

    /// Called at each tick, after the epoch has moved.
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
    async fn slice(&self, young: bool) {
        let take = |free: usize| free.checked_sub(1);
        if self.free.fetch_update(Relaxed, Relaxed, take).is_err() {
            let queue = if young { &self.young } else { &self.old };
            queue.slice().await;
        }
    }
}

/// CPU time of the call that is running.
pub struct Cpu {
    ticks: u32,
    most: u32,
    lane: Arc<Lane>,
    /// The lane's tick when the guest last called the host.
    left: u64,
}

impl Cpu {
    pub fn new(limit: Duration, lane: Arc<Lane>) -> Self {
        let most = limit.as_nanos().div_ceil(TICK.as_nanos());
        Cpu {
            ticks: 0,
            most: u32::try_from(most).unwrap_or(u32::MAX).max(1),
            lane,
            left: 0,
        }
    }

    /// A new call begins.
    pub fn reset(&mut self) {
        self.ticks = 0;
    }

    fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        self.ticks += 1;
        if self.ticks > self.most {
            return Err(CpuExhausted(TICK * self.most).into());
        }
        let (lane, young) = (self.lane.clone(), self.ticks <= YOUNG);
        let wait = async move {
            // Others of this thread first, even where a slice is free.
            tokio::task::yield_now().await;
            lane.slice(young).await;
        };
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(wait)))
    }
}

/// Meters a store; without this it would trap at its first loop.
pub fn meter<T: HasCpu + 'static>(store: &mut Store<T>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| store.data_mut().cpu().tick());
    store.call_hook(|mut store, hook| {
        if let CallHook::ReturningFromHost = hook
            && let Some(fuel) = store.data_mut().refuel()
        {
            store.as_context_mut().set_fuel(fuel)?;
        }
        let cpu = store.data_mut().cpu();
        let now = cpu.lane.ticks.load(Relaxed);
        match hook {
            CallHook::CallingHost => cpu.left = now,
            // The time passed in the host: the guest gets a whole tick again.
            CallHook::ReturningFromHost if now != cpu.left => {
                store.as_context_mut().set_epoch_deadline(1)
            }
            CallHook::CallingWasm => store.as_context_mut().set_epoch_deadline(1),
            _ => {}
        }
        Ok(())
    });
}

/// The call used up its CPU time.
#[derive(Debug)]
pub struct CpuExhausted(pub Duration);

impl fmt::Display for CpuExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "used its {:?} of CPU time", self.0)
    }
}

impl std::error::Error for CpuExhausted {}

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
