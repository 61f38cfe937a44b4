//! CPU time: a call that spins waits its turn behind others, and a call that used up its time is ended.
//!
//! Time is sampled: the engine's epoch moves every 10 ms, and a call is charged for each move that finds it in its
//! own code. What moves while it waits in a host call is not charged.

use crate::ctx::HasCpu;
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use wasmtime::{AsContextMut, CallHook, Store, UpdateDeadline};

/// Between two ticks of the engine's epoch; CPU time is counted in ticks.
pub const TICK: Duration = Duration::from_millis(10);

/// Ticks after which a call is heavy.
const LIGHT: u32 = 2;

/// The slices that heavy calls share: each tick brings as many as there are cores but one, so that light calls
/// always find a free core. Slices are taken in turn, and never held while a guest waits.
pub struct Lane {
    slices: Semaphore,
    width: usize,
    ticks: AtomicU64,
}

impl Lane {
    pub fn new() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let width = cores.saturating_sub(1).max(1);
        Arc::new(Lane {
            slices: Semaphore::new(width),
            ticks: AtomicU64::new(0),
            width,
        })
    }

    /// Called at each tick, after the epoch has moved.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Relaxed);
        let missing = self.width.saturating_sub(self.slices.available_permits());
        self.slices.add_permits(missing);
    }

    async fn slice(&self) {
        if let Ok(permit) = self.slices.acquire().await {
            permit.forget();
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
        if self.ticks <= LIGHT {
            return Ok(UpdateDeadline::YieldCustom(
                1,
                Box::pin(tokio::task::yield_now()),
            ));
        }
        let lane = self.lane.clone();
        let wait = async move {
            tokio::task::yield_now().await;
            lane.slice().await;
        };
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(wait)))
    }
}

/// Meters a store; without this it would trap at its first loop.
pub fn meter<T: HasCpu + 'static>(store: &mut Store<T>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| store.data_mut().cpu().tick());
    store.call_hook(|mut store, hook| {
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
