//! The turns that run here, by their ids: a call that comes back from elsewhere finds the one that it is inside of.

use super::{Inside, turn::Turn};
use crate::call::TurnId;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

/// Turns that run now.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<u64, Weak<Turn>>>);

/// A turn's place in the table, until it is dropped.
pub(super) struct Entered<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    pub(super) fn enter(&self, turn: &Arc<Turn>) -> Entered<'_> {
        self.lock().insert(turn.number, Arc::downgrade(turn));
        Entered {
            turns: self,
            number: turn.number,
        }
    }

    pub(super) fn find(&self, id: TurnId) -> Option<Inside> {
        let turn = self.lock().get(&id.number)?.upgrade()?;
        let frame = id.frame;
        Some(Inside { turn, frame })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Weak<Turn>>> {
        self.0.lock()
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.turns.lock().remove(&self.number);
    }
}
