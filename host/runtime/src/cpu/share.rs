//! A tenant's share of the CPU: its weight, its position among the others, and its calls that wait for a slice.

use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use tokio::sync::Semaphore;

/// One slice in so many is for calls that compute for long, so that a stream of young calls does not stop them.
pub const OLD_TURN: u64 = 4;
/// Ticks, 100 ms of its own CPU time, by which one that rested may be behind the others, or one that used time beside
/// the lane before them.
pub const BURST: u64 = 50;
/// The way that a tick takes a tenant of weight 1.
const STEP: u64 = 1 << 20;

/// A point in virtual time.
pub type Position = u64;

pub struct Share {
    young: Queue,
    old: Queue,
    weight: AtomicU32,
    is_active: AtomicBool,
    account: Mutex<Account>,
}

#[derive(Default)]
struct Account {
    position: Position,
    /// The position of the lane when this share was last looked at.
    lane: Position,
    /// Slices that were given, and whose time is not charged yet.
    prepaid: u32,
    slices: u64,
}

impl Share {
    pub fn new(weight: u32) -> Self {
        Share {
            young: Queue::new(),
            old: Queue::new(),
            weight: AtomicU32::new(weight.max(1)),
            is_active: AtomicBool::new(false),
            account: Mutex::default(),
        }
    }

    pub fn set_weight(&self, weight: u32) {
        self.weight.store(weight.max(1), Relaxed);
    }

    pub fn queue(&self, young: bool) -> &Queue {
        if young { &self.young } else { &self.old }
    }

    fn step(&self) -> u64 {
        STEP / u64::from(self.weight.load(Relaxed))
    }

    /// Charges ticks of CPU time; those that a slice was given for are charged already.
    pub fn charge(&self, ticks: u32) {
        let mut account = self.lock();
        let prepaid = ticks.min(account.prepaid);
        account.prepaid -= prepaid;
        let way = u64::from(ticks - prepaid).saturating_mul(self.step());
        let limit = account.lane.saturating_add(self.step() * BURST);
        let position = account.position.saturating_add(way);
        account.position = position.min(limit.max(account.position));
    }

    /// A call waits, and the others are at `lane`; returns whether the share was not active.
    pub fn join(&self, lane: Position) -> bool {
        if self.is_active.swap(true, Relaxed) {
            return false;
        }
        let mut account = self.lock();
        let least = lane.saturating_sub(self.step() * BURST);
        account.lane = lane;
        account.position = account.position.max(least);
        true
    }

    /// Returns whether somebody waits; where nobody does, the share is not active any more.
    pub fn stays(&self) -> bool {
        let stays = self.young.is_waited_for() || self.old.is_waited_for();
        if !stays {
            self.is_active.store(false, Relaxed);
        }
        stays
    }

    pub fn position(&self) -> Position {
        self.lock().position
    }

    /// Gives a slice to the first of its calls that waits for one, if there is one.
    pub fn give(&self) -> bool {
        let mut account = self.lock();
        let (first, second) = match account.slices % OLD_TURN {
            0 => (&self.old, &self.young),
            _ => (&self.young, &self.old),
        };
        let given = first.give() || second.give();
        if given {
            account.slices += 1;
            account.prepaid = account.prepaid.saturating_add(1).min(BURST as u32);
            account.lane = account.position;
            account.position = account.position.saturating_add(self.step());
        }
        given
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock()
    }
}

/// Calls that wait for a slice, in turn.
pub struct Queue {
    slices: Semaphore,
    waiting: AtomicUsize,
    /// Slices that were given and not taken yet. The semaphore cannot say: it hands one to whoever waits at once, also
    /// before that call is polled.
    given: AtomicUsize,
}

impl Queue {
    fn new() -> Self {
        Queue {
            slices: Semaphore::new(0),
            waiting: AtomicUsize::new(0),
            given: AtomicUsize::new(0),
        }
    }

    fn is_waited_for(&self) -> bool {
        self.waiting.load(Relaxed) > 0
    }

    /// Gives a slice, unless as many are given as somebody waits for. Only the lane gives, under its lock.
    fn give(&self) -> bool {
        // First those that were given: who takes one in between waits no more.
        let given = self.given.load(Relaxed);
        let is_open = self.waiting.load(Relaxed) > given;
        if is_open {
            self.given.fetch_add(1, Relaxed);
            self.slices.add_permits(1);
        }
        is_open
    }

    /// Counts one more who waits, for as long as the value lives: a call may be dropped while it waits.
    pub fn enter(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(self)
    }
}

/// A call that waits for a slice.
pub struct Waiting<'a>(&'a Queue);

impl Waiting<'_> {
    /// Takes a slice once one is given. A call that is dropped before that leaves it to the next.
    pub async fn served(self) {
        let queue = self.0;
        if let Ok(permit) = queue.slices.acquire().await {
            permit.forget();
            // It waits no more before its slice is taken, so that no other is given for it.
            drop(self);
            queue.given.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}
