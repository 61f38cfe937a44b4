//! The part that a store has of its tenant's `quotas.stateBytes` and `quotas.stateKeys`. The driver counts, for it alone
//! knows what a write takes the place of; room is drawn before anything is written, and what was freed is given back once
//! the write is kept.
//!
//! The values of apps and of actors count, with an actor's reminders and its events that are not sent yet. What the host
//! writes beside them does not: it is little, other quotas bound what it is about (`journalBytes`, `workflows`), and refused,
//! it would keep an actor or a workflow from coming to its end.

use super::{ACTOR_VALUES, RESERVED};
use crate::{Error, Result, quota::Ledger};
use parking_lot::Mutex;
use std::{
    ops::{AddAssign, Sub},
    sync::Arc,
};
use wythe_manifest::Metered;

/// Bytes and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub bytes: u64,
    pub keys: u64,
}

impl Amount {
    /// The amount of an entry whose value and content type have so many bytes; nothing, where there is none, or one that
    /// does not count.
    pub fn of(key: &str, length: Option<u64>) -> Self {
        let is_value = || ACTOR_VALUES.iter().any(|value| key.starts_with(value));
        let Some(length) = length.filter(|_| !key.starts_with(RESERVED) || is_value()) else {
            return Amount::default();
        };
        Amount {
            bytes: (key.len() as u64).saturating_add(length),
            keys: 1,
        }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.keys = self.keys.saturating_add(other.keys);
    }
}

/// The rest, and nothing where the other one is more.
impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Amount {
            bytes: self.bytes.saturating_sub(other.bytes),
            keys: self.keys.saturating_sub(other.keys),
        }
    }
}

/// The entries of one store, in the quotas of its tenant.
#[derive(Debug)]
pub struct Stored {
    ledger: Arc<Ledger>,
    /// Absent once the driver is closed: another one may count the same store.
    held: Mutex<Option<Amount>>,
}

impl Stored {
    /// A store of which nothing is counted yet.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        let held = Mutex::new(Some(Amount::default()));
        Stored { ledger, held }
    }

    /// Counts what the store has, in place of what was counted before and whatever the quotas say: it is there already.
    pub fn count(&self, found: Amount) {
        if let Some(held) = &mut *self.held.lock() {
            self.put(found);
            self.give_back(*held);
            *held = found;
        }
    }

    /// Holds nothing more.
    pub fn close(&self) {
        if let Some(held) = self.held.lock().take() {
            self.give_back(held);
        }
    }

    fn put(&self, amount: Amount) {
        self.ledger.put(Metered::StateBytes, amount.bytes);
        self.ledger.put(Metered::StateKeys, amount.keys);
    }

    fn give_back(&self, amount: Amount) {
        self.ledger.give_back(Metered::StateBytes, amount.bytes);
        self.ledger.give_back(Metered::StateKeys, amount.keys);
    }

    /// Draws all of it or nothing; an error is the quota that has not as much left.
    fn draw(&self, amount: Amount) -> Result<(), Metered> {
        let (bytes, keys) = (Metered::StateBytes, Metered::StateKeys);
        if !self.ledger.takes(bytes, amount.bytes) {
            return Err(bytes);
        }
        if !self.ledger.takes(keys, amount.keys) {
            self.ledger.give_back(bytes, amount.bytes);
            return Err(keys);
        }
        Ok(())
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.close();
    }
}

/// Writes that are kept together or not at all, on their way into a store. What they drew goes back when it is dropped,
/// unless it was settled.
#[derive(Debug)]
pub struct Charge<'a> {
    /// Absent where nothing is counted.
    stored: Option<&'a Stored>,
    added: Amount,
    removed: Amount,
    /// The amount that was drawn, which is at least what was added without what was removed.
    drawn: Amount,
}

impl<'a> Charge<'a> {
    pub fn new(stored: Option<&'a Stored>) -> Self {
        Charge {
            stored,
            added: Amount::default(),
            removed: Amount::default(),
            drawn: Amount::default(),
        }
    }

    /// Returns whether anything is counted at all.
    pub fn counts(&self) -> bool {
        self.stored.is_some()
    }

    /// Draws what is to be written. Only where there is no room for all of it, `old` looks up what it takes the place of:
    /// what makes no more of either than there was is never refused.
    pub fn admit(&mut self, new: Amount, old: impl FnOnce() -> Result<Amount>) -> Result<()> {
        let Some(stored) = self.stored else {
            return Ok(());
        };
        let more = self.more(new, Amount::default());
        if stored.draw(more).is_ok() {
            self.drawn += more;
            return Ok(());
        }
        let more = self.more(new, old()?);
        let drawn = stored.draw(more);
        drawn.map_err(|quota| advised(stored.ledger.refuse_all(quota)))?;
        self.drawn += more;
        Ok(())
    }

    /// The rest that is to be drawn for what is new, if so much becomes free by it.
    fn more(&self, new: Amount, old: Amount) -> Amount {
        let (mut added, mut removed) = (self.added, self.removed);
        added += new;
        removed += old;
        added - removed - self.drawn
    }

    /// Notes that one entry took the place of another, either of which may be nothing.
    pub fn replace(&mut self, old: Amount, new: Amount) {
        self.added += new;
        self.removed += old;
    }

    /// Makes what was noted what the store has: it is kept.
    pub fn settle(mut self) {
        let Some(stored) = self.stored else { return };
        // Of a store that is closed nothing is held, and what was drawn goes back.
        if let Some(held) = &mut *stored.held.lock() {
            let mut before = *held;
            before += std::mem::take(&mut self.drawn);
            *held += self.added;
            *held = *held - self.removed;
            stored.put(*held - before);
            stored.give_back(before - *held);
        }
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        if let Some(stored) = self.stored {
            stored.give_back(self.drawn);
        }
    }
}

/// Says what to do about the quota.
fn advised(error: Error) -> Error {
    error.map_message(|message| format!("{message}; delete some, or let the operator raise it"))
}

#[cfg(test)]
mod tests;
