//! The clock of one store: since when it has been on a worker, and what it used there when nobody looked.

use super::{Lane, Share, TICK};
use std::{
    cell::Cell,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};
use wythe_blocks::time::nanoseconds;

/// The store waits; no tick is a time like this.
const AWAY: u64 = u64::MAX;

thread_local! {
    /// Ticks of this thread that went to stores which were polled within another one's poll: those pay for themselves.
    static ELSEWHERE: Cell<u64> = const { Cell::new(0) };
    /// CPU time of this thread when it was last asked for, in nanoseconds.
    static USED: Cell<u64> = const { Cell::new(0) };
}

/// Ticks of CPU time that this thread used since it last asked: no more than that is charged, so that nobody pays for
/// the time that a busy machine gave to others. It is asked for once a tick at most.
fn used() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a timespec of this function.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    if failed != 0 {
        return u64::MAX;
    }
    let (seconds, rest) = (time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs());
    let now = seconds * 1_000_000_000 + rest;
    let before = USED.replace(now);
    now.saturating_sub(before) / nanoseconds(TICK)
}

/// Ticks of one store on a worker. One task uses it at a time.
pub struct Clock {
    lane: Arc<Lane>,
    /// The share of the tenant whose store it is.
    share: Arc<Share>,
    /// The time when the present stretch began.
    since: AtomicU64,
    /// Stretches that ended with a wait and are not yet charged.
    owed: AtomicU64,
    /// A call has begun, and was not polled to a wait.
    begins: AtomicBool,
    /// The stretch may not end with a poll, and so be longer than it seems.
    is_vague: AtomicBool,
    used: fn() -> u64,
}

impl Clock {
    pub fn new(lane: Arc<Lane>, share: Arc<Share>) -> Self {
        Clock {
            lane,
            share,
            used,
            since: AtomicU64::new(AWAY),
            owed: AtomicU64::new(0),
            begins: AtomicBool::new(false),
            is_vague: AtomicBool::new(false),
        }
    }

    /// Waits for a slice of the tenant's.
    pub async fn slice(&self, young: bool) {
        self.lane.slice(&self.share, young).await;
    }

    /// Charges ticks to the tenant.
    pub fn charge(&self, ticks: u32) {
        self.share.charge(ticks);
    }

    fn now(&self) -> u64 {
        self.lane.now().wrapping_sub(ELSEWHERE.get()) & (AWAY >> 1)
    }

    /// Ends the stretch: the store was polled to its next wait.
    pub fn away(&self) {
        let owed = self.owed.load(Relaxed) + self.stretch();
        self.owed.store(owed, Relaxed);
        self.since.store(AWAY, Relaxed);
    }

    /// A call begins, and owes nothing for the one before.
    pub fn begin(&self) {
        self.owed.store(0, Relaxed);
        self.begins.store(true, Relaxed);
    }

    /// Notes a poll for wasmtime's proxy, which tells of each poll that ended with a wait, but of the second of a call:
    /// it polls at once again when a call has come to its first wait.
    pub fn polled(&self) {
        self.away();
        let begins = self.begins.load(Relaxed);
        self.begins.store(false, Relaxed);
        self.is_vague.store(begins, Relaxed);
    }

    /// Begins a stretch: the store is polled.
    pub fn back(&self) {
        self.since.store(self.now(), Relaxed);
    }

    pub fn is_away(&self) -> bool {
        self.since.load(Relaxed) == AWAY
    }

    /// Ticks on a worker since the last lap; another begins.
    pub fn lap(&self) -> u32 {
        let ran = self.stretch() + self.owed.load(Relaxed);
        self.owed.store(0, Relaxed);
        self.back();
        u32::try_from(ran).unwrap_or(u32::MAX)
    }

    fn stretch(&self) -> u64 {
        let ran = match self.since.load(Relaxed) {
            AWAY => 0,
            since => self.now().saturating_sub(since),
        };
        if ran == 0 {
            return 0;
        }
        let used = (self.used)();
        match self.is_vague.load(Relaxed) {
            true => 1,
            false => ran.min(used.saturating_add(1)),
        }
    }

    #[cfg(test)]
    pub fn share(&self) -> Arc<Share> {
        self.share.clone()
    }

    /// A clock whose thread used all the time that passed.
    #[cfg(test)]
    pub fn busy(lane: Arc<Lane>) -> Self {
        let share = lane.share(&"t".parse().expect("a name"), 100);
        Clock {
            used: || u64::MAX,
            ..Clock::new(lane, share)
        }
    }
}

/// Runs a store's future so that its clock knows when it is on a worker.
pub async fn timed<T>(clock: Arc<Clock>, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    poll_fn(|context| {
        let (begin, before) = (clock.lane.now(), ELSEWHERE.get());
        clock.back();
        let polled = future.as_mut().poll(context);
        clock.away();
        ELSEWHERE.set(before + (clock.lane.now() - begin));
        polled
    })
    .await
}
