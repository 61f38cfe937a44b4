//! CPU time: a call that spins waits its turn behind others, and a call that used up its time is ended.
//!
//! Time is counted in ticks of 2 ms, in which the engine's epoch moves. A call is charged for each tick that passes
//! while it is on a worker, in its own code or in the host's; what passes while it waits is not charged.

mod clock;
mod lane;
mod share;

pub use clock::{Clock, timed};
pub use lane::Lane;
pub use share::Share;

use crate::ctx::HasCpu;
use std::{fmt, sync::Arc, time::Duration};
use wasmtime::{AsContextMut, CallHook, Store, StoreContextMut, Trap, UpdateDeadline};
use wythe_blocks::{Error, Meters};

/// The time between two ticks of the engine's epoch; CPU time is counted in ticks.
pub const TICK: Duration = Duration::from_millis(2);
/// Ticks of one stretch on a worker, 10 ms, after which the log says who held it.
pub const LONG: u32 = 5;

/// Ticks, 100 ms, for which a guest may go on computing in the host after it was to give way.
const STUBBORN: u32 = 50;
/// Ticks after which a call no longer goes before those that compute for long.
const YOUNG: u32 = 10;

/// CPU time of the call that is running.
pub struct Cpu {
    ticks: u32,
    max_ticks: u32,
    /// Time that the host's threads used for it, short of a tick.
    rest: Duration,
    clock: Arc<Clock>,
    /// Ticks charged since the guest last gave its worker to others.
    due: u32,
    /// Ticks among these that came after the first charge, when it was to give way already.
    overdue: u32,
    meters: Option<Arc<Meters>>,
}

impl Cpu {
    pub fn new(limit: Duration, lane: Arc<Lane>, share: Arc<Share>) -> Self {
        let max_ticks = limit.as_nanos().div_ceil(TICK.as_nanos());
        Cpu {
            ticks: 0,
            rest: Duration::ZERO,
            max_ticks: u32::try_from(max_ticks).unwrap_or(u32::MAX).max(1),
            clock: Arc::new(Clock::new(lane, share)),
            due: 0,
            overdue: 0,
            meters: None,
        }
    }

    /// The same, which counts what is charged.
    pub fn metered(mut self, meters: &Arc<Meters>) -> Self {
        self.meters = Some(meters.clone());
        self
    }

    /// A new call begins.
    pub fn reset(&mut self) {
        (self.ticks, self.rest, self.overdue) = (0, Duration::ZERO, 0);
        self.clock.begin();
    }

    /// The clock, for whoever polls the store.
    pub fn clock(&self) -> Arc<Clock> {
        self.clock.clone()
    }

    /// Charges the ticks that passed on a worker since the last look, and returns how many.
    fn look(&mut self) -> wasmtime::Result<u32> {
        let ran = self.clock.lap();
        if ran > 0 {
            if self.due > 0 {
                self.overdue = self.overdue.saturating_add(ran);
            }
            self.due = self.due.saturating_add(ran);
            self.charge(ran)?;
        }
        Ok(ran)
    }

    /// Charges time that threads of the host used for the call while it waited: it held no worker for that.
    fn pay(&mut self, time: Duration) -> wasmtime::Result<()> {
        self.rest += time;
        let ticks = self.rest.as_nanos() / TICK.as_nanos();
        let ticks = u32::try_from(ticks).unwrap_or(u32::MAX);
        self.rest = self.rest.saturating_sub(TICK.saturating_mul(ticks));
        self.charge(ticks)
    }

    fn charge(&mut self, ticks: u32) -> wasmtime::Result<()> {
        self.clock.charge(ticks);
        if let Some(meters) = self.meters.as_ref().filter(|_| ticks > 0) {
            meters.worked(TICK.saturating_mul(ticks));
        }
        self.ticks = self.ticks.saturating_add(ticks);
        match self.ticks > self.max_ticks {
            true => Err(CpuExhausted(TICK * self.max_ticks).into()),
            false => Ok(()),
        }
    }

    /// Code without a loop or a call of its own has no place to give way at. Honest code makes a few calls to the host in
    /// a row like that, and none that compute for so long.
    fn bear(&self) -> wasmtime::Result<()> {
        if self.overdue > STUBBORN {
            let reported = "calls to the host, one after the other without a loop or a call between them, took more than 100 ms of CPU time";
            return Err(Error::timeout(reported).into());
        }
        Ok(())
    }

    /// The epoch moved, or a host call took long enough: the guest gives way to others.
    fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let was_due = std::mem::take(&mut self.due) > 0;
        self.look()?;
        (self.due, self.overdue) = (0, 0);
        let young = self.ticks <= YOUNG;
        // A short call that a tick met in the host is not behind others who compute.
        let is_brief = was_due && self.ticks <= 1;
        let clock = self.clock.clone();
        let wait = async move {
            // Others of this thread first, even where a slice is free.
            tokio::task::yield_now().await;
            if !is_brief {
                clock.slice(young).await;
            }
            clock.back();
        };
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(wait)))
    }
}

/// Meters a store; without this it would trap at its first loop.
pub fn meter<T: HasCpu + 'static>(store: &mut Store<T>) {
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut store| store.data_mut().cpu().tick());
    store.call_hook(|mut store, hook| {
        if let CallHook::ReturningFromHost = hook {
            refuel(&mut store)?;
            let worked = store.data().worked();
            store.data_mut().cpu().pay(worked)?;
        }
        let cpu = store.data_mut().cpu();
        let has_waited = cpu.clock.is_away();
        let ran = cpu.look()?;
        if !hook.exiting_host() {
            return Ok(());
        }
        let is_due = cpu.due > 0;
        if is_due && matches!(hook, CallHook::ReturningFromHost) {
            cpu.bear()?;
        }
        if ran >= LONG {
            store.data().held(TICK * ran);
        }
        match hook {
            // At its next loop or call.
            _ if is_due => store.as_context_mut().set_epoch_deadline(0),
            // The time passed while it waited: the guest gets a whole tick again.
            CallHook::CallingWasm => store.as_context_mut().set_epoch_deadline(1),
            _ if has_waited => store.as_context_mut().set_epoch_deadline(1),
            _ => {}
        }
        Ok(())
    });
}

/// Code that is bounded by fuel pays for what it had the host do, and begins a step with all of its fuel.
fn refuel<T: HasCpu + 'static>(store: &mut StoreContextMut<'_, T>) -> wasmtime::Result<()> {
    let Some(bill) = store.data_mut().bill() else {
        return Ok(());
    };
    let left = match bill.fresh {
        Some(fuel) => fuel,
        None => store.get_fuel()?,
    };
    match left.checked_sub(bill.cost) {
        Some(left) => store.set_fuel(left),
        None => Err(Trap::OutOfFuel.into()),
    }
}

/// Fuel for a host call.
pub struct Bill {
    /// All the fuel of a step that begins.
    pub fresh: Option<u64>,
    /// The cost of the call.
    pub cost: u64,
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
    use super::{Clock, Cpu, CpuExhausted, LONG, Lane, STUBBORN, TICK, timed};
    use futures::FutureExt as _;
    use std::{future::poll_fn, sync::Arc, task::Poll};

    fn cpu(ticks: u32) -> (Arc<Lane>, Cpu) {
        let lane = Lane::new();
        let clock = Arc::new(Clock::busy(lane.clone()));
        let cpu = Cpu::new(TICK * ticks, lane.clone(), clock.share());
        (lane, Cpu { clock, ..cpu })
    }

    fn pass(lane: &Lane, ticks: u32) {
        (0..ticks).for_each(|_| lane.tick());
    }

    #[test]
    fn time_in_the_host_is_charged_and_time_awaited_is_not() {
        let (lane, mut cpu) = cpu(10);
        cpu.clock.back();
        pass(&lane, 4);
        assert_eq!(cpu.look().unwrap(), 4);
        cpu.clock.away();
        pass(&lane, 100);
        cpu.clock.back();
        pass(&lane, 6);
        // A wait ends a stretch that nobody has looked at.
        cpu.clock.away();
        assert_eq!(cpu.look().unwrap(), 6);
        pass(&lane, 1);
        assert!(cpu.look().unwrap_err().is::<CpuExhausted>());
    }

    #[test]
    fn what_threads_of_the_host_did_for_a_call_is_charged_to_the_last_bit() {
        let (_lane, mut cpu) = cpu(10);
        for _ in 0..40 {
            cpu.pay(TICK / 4).unwrap();
        }
        cpu.pay(TICK / 2).unwrap();
        assert_eq!(cpu.ticks, 10);
        assert!(cpu.pay(TICK / 2).unwrap_err().is::<CpuExhausted>());
        cpu.reset();
        cpu.pay(TICK * 10).unwrap();
        assert!(cpu.pay(TICK).unwrap_err().is::<CpuExhausted>());
    }

    #[test]
    fn a_store_does_not_pay_for_one_that_is_polled_within() {
        let (lane, mut outer) = cpu(100);
        let inner = Arc::new(Clock::busy(lane.clone()));
        let work = async {
            pass(&lane, 1);
            let nested = async { pass(&lane, 7) };
            timed(inner.clone(), nested).await;
            pass(&lane, 2);
        };
        timed(outer.clock(), work)
            .now_or_never()
            .expect("nothing waits");
        assert_eq!((inner.lap(), outer.look().unwrap()), (7, 3));
    }

    #[test]
    fn a_stretch_whose_end_is_not_known_is_a_tick_at_most() {
        let (lane, mut cpu) = cpu(100);
        cpu.reset();
        cpu.clock.polled();
        cpu.clock.back();
        pass(&lane, 50);
        assert_eq!(cpu.look().unwrap(), 1);
        cpu.clock.polled();
        cpu.clock.back();
        pass(&lane, 5);
        assert_eq!(cpu.look().unwrap(), 5);
    }

    #[test]
    fn code_that_never_gives_way_between_host_calls_is_ended() {
        let (lane, mut cpu) = cpu(1_000);
        cpu.clock.back();
        let mut call = || {
            pass(&lane, LONG);
            cpu.look()?;
            cpu.bear()
        };
        // The first call makes it due, and those that follow are too many.
        for _ in 0..=STUBBORN / LONG {
            call().unwrap();
        }
        assert!(call().unwrap_err().is::<wythe_blocks::Error>());
    }

    #[test]
    fn whoever_gives_way_goes_on() {
        let (lane, mut cpu) = cpu(1_000);
        cpu.clock.back();
        for _ in 0..50 {
            // A long call, and a few short ones before there is a place to give way at.
            pass(&lane, LONG);
            for _ in 0..10 {
                cpu.look().unwrap();
                cpu.bear().unwrap();
            }
            assert!(cpu.tick().is_ok());
            cpu.clock.back();
        }
    }

    #[test]
    fn a_future_is_polled_as_often_as_it_waits() {
        let (lane, mut cpu) = cpu(1_000);
        let mut polls = 0;
        let work = poll_fn(|context| {
            pass(&lane, 2);
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 5 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        });
        let mut work = Box::pin(timed(cpu.clock(), work));
        while (&mut work).now_or_never().is_none() {
            pass(&lane, 9);
        }
        drop(work);
        assert_eq!(cpu.look().unwrap(), 10);
    }
}
