//! Bytes that the host holds for one app. Each of them is drawn from the app's account and given back when it goes.

use crate::{Error, Result, quota::Ledger, work::Meter};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};
use wythe_manifest::{Metered, Name};

/// The memory that the host holds for an app in all, and its limit.
#[derive(Clone, Debug)]
pub struct Account(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: Name,
    limit: usize,
    used: AtomicUsize,
    /// The ledger of the app's tenant, which all of its accounts draw from.
    ledger: Arc<Ledger>,
}

impl Account {
    /// An account of `limit` bytes, which is the app's `limits.hostMemory`, within what its tenant may have.
    pub fn new(app: Name, limit: u64, ledger: Arc<Ledger>) -> Self {
        Account(Arc::new(Inner {
            app,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            used: AtomicUsize::new(0),
            ledger,
        }))
    }

    /// Draws so many bytes until the permit is dropped; `exhausted` where the account has not as many left.
    pub fn take(&self, bytes: usize) -> Result<Permit> {
        let mut permit = Permit {
            account: self.clone(),
            bytes: 0,
        };
        permit.grow(bytes)?;
        Ok(permit)
    }

    /// Bytes that are drawn now.
    pub fn used(&self) -> usize {
        self.0.used.load(Relaxed)
    }

    fn draw(&self, bytes: usize) -> Result<()> {
        self.draw_own(bytes)?;
        let drawn = self.0.ledger.draw(Metered::HostMemory, bytes as u64);
        drawn.inspect_err(|_| {
            self.0.used.fetch_sub(bytes, Relaxed);
        })
    }

    fn draw_own(&self, bytes: usize) -> Result<()> {
        let limit = self.0.limit;
        let add = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        let drawn = self.0.used.fetch_update(Relaxed, Relaxed, add);
        drawn.map(drop).map_err(|used| {
            Error::exhausted(format!(
                "the host holds {used} bytes for app `{}`, which asks for {bytes} more; it holds at most {limit}; \
                 see `limits.hostMemory`",
                self.0.app
            ))
        })
    }
}

/// Bytes drawn from an account; they are given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    account: Account,
    bytes: usize,
}

impl Permit {
    /// Draws more; on an error it keeps what it has.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.account.draw(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives some back; never more than it has.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.account.0.used.fetch_sub(bytes, Relaxed);
        let ledger = &self.account.0.ledger;
        ledger.give_back(Metered::HostMemory, bytes as u64);
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// The bill of the call that an app has under way: bytes that are drawn as they come and given back together, and CPU
/// time of the host's own threads.
#[derive(Debug)]
pub(crate) struct Tab {
    permit: Mutex<Permit>,
    meter: Arc<Meter>,
}

impl Tab {
    pub fn new(account: &Account) -> Self {
        Tab {
            permit: Mutex::new(Permit {
                account: account.clone(),
                bytes: 0,
            }),
            meter: Arc::default(),
        }
    }

    pub fn charge(&self, bytes: usize) -> Result<()> {
        self.permit().grow(bytes)
    }

    pub fn settle(&self) {
        let mut permit = self.permit();
        let bytes = permit.bytes();
        permit.shrink(bytes);
    }

    pub fn account(&self) -> Account {
        self.permit().account.clone()
    }

    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    fn permit(&self) -> parking_lot::MutexGuard<'_, Permit> {
        self.permit.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 1_000;

    fn account() -> Account {
        let ledger = Ledger::new("tenant".parse().unwrap());
        Account::new("shop".parse().unwrap(), LIMIT as u64, ledger)
    }

    #[test]
    fn what_is_too_much_names_the_limit_and_draws_nothing() {
        let account = account();
        let permit = account.take(600).unwrap();
        let error = account.take(401).unwrap_err();
        assert_eq!(
            error.message(),
            "the host holds 600 bytes for app `shop`, which asks for 401 more; it holds at most 1000; see \
             `limits.hostMemory`"
        );
        assert_eq!((account.used(), permit.bytes()), (600, 600));
        assert!(account.take(usize::MAX).is_err());
        drop(permit);
        assert_eq!(account.used(), 0);
    }

    /// Numbers that look random and are the same in each run.
    fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed;
        move |below| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        }
    }

    #[test]
    fn whatever_is_drawn_in_whatever_order_never_more_than_the_limit_and_all_of_it_comes_back() {
        for seed in 0..50 {
            let (account, mut number) = (account(), numbers(seed));
            let tab = Tab::new(&account);
            let mut held: Vec<Permit> = Vec::new();
            for _ in 0..500 {
                let bytes = number(LIMIT / 2);
                match number(6) {
                    0 | 1 => held.extend(account.take(bytes).ok()),
                    2 => drop(held.pop()),
                    3 => held
                        .last_mut()
                        .into_iter()
                        .for_each(|permit| permit.shrink(bytes)),
                    4 => drop(held.last_mut().map(|permit| permit.grow(bytes))),
                    _ if bytes % 2 == 0 => tab.settle(),
                    _ => drop(tab.charge(bytes)),
                }
                let all: usize = held.iter().map(Permit::bytes).sum();
                assert_eq!(account.used(), all + tab.permit().bytes(), "seed {seed}");
                assert!(account.used() <= LIMIT, "seed {seed}");
            }
            drop((held, tab));
            assert_eq!(account.used(), 0, "seed {seed}");
        }
    }

    #[test]
    fn permits_of_many_threads_never_go_over() {
        let account = account();
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let account = account.clone();
                scope.spawn(move || {
                    let mut number = numbers(seed);
                    for _ in 0..2_000 {
                        let permit = account.take(number(LIMIT));
                        assert!(account.used() <= LIMIT);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(account.used(), 0);
    }
}
