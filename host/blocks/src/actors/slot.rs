//! The slot of an actor that is here: its queue, and what this host knows of it between turns.

use super::{
    core::{names::Actor, record::Meta, staged::Memory},
    timers::Timers,
};
use crate::{Trace, quota::Held, state::Etag};
use parking_lot::{Mutex, MutexGuard};
use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Instant,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wythe_manifest::Name;

/// One actor's queue, and its activation between turns.
pub(super) struct Slot {
    pub actor: Arc<Actor>,
    /// The app that the actor belonged to when its slot was made.
    pub app: Name,
    /// One permit: who holds it has the turn. Fair.
    pub turns: Arc<Semaphore>,
    rest: Mutex<Rest>,
    /// Its part of its tenant's quota.
    _held: Held,
}

struct Rest {
    activation: Option<Activation>,
    since: Instant,
}

/// The right to a turn.
pub(super) struct TurnPermit {
    pub slot: Arc<Slot>,
    pub _permit: OwnedSemaphorePermit,
}

impl TurnPermit {
    /// Takes what was kept of the turn before, for a turn that this span caused.
    pub(super) fn wake(&self, trace: Trace) -> Option<Awake> {
        let activation = self.slot.rest().activation.take();
        activation.map(|activation| activation.awake(trace))
    }

    /// Keeps an activation for the next turn, unless it serves this one alone.
    pub(super) fn keep(&self, awake: Awake, is_bare: bool) {
        self.slot.rest().activation = (!is_bare).then_some(awake.activation);
    }
}

/// The state that this host believes of an actor; every turn proves it anew.
pub(super) struct Activation {
    pub actor: Arc<Actor>,
    pub number: u64,
    pub meta: Meta,
    /// The etag of the actor's record; absent where there is no record yet.
    pub etag: Option<Etag>,
    pub memory: Memory,
    pub timers: Timers,
}

impl Activation {
    pub(super) fn awake(self, trace: Trace) -> Awake {
        Awake {
            activation: self,
            trace,
        }
    }
}

/// An activation in a turn. What belongs to the turn is not held while the actor is idle: there are many of them.
pub(super) struct Awake {
    activation: Activation,
    /// Span that caused the turn.
    pub trace: Trace,
}

impl Deref for Awake {
    type Target = Activation;

    fn deref(&self) -> &Activation {
        &self.activation
    }
}

impl DerefMut for Awake {
    fn deref_mut(&mut self) -> &mut Activation {
        &mut self.activation
    }
}

impl Slot {
    pub(super) fn new(actor: Arc<Actor>, app: Name, held: Held) -> Self {
        Slot {
            actor,
            app,
            turns: Arc::new(Semaphore::new(1)),
            rest: Mutex::new(Rest {
                activation: None,
                since: Instant::now(),
            }),
            _held: held,
        }
    }

    pub(super) fn touch(&self) {
        self.rest().since = Instant::now();
    }

    /// Forgets what this host believes of the actor, unless it has a turn now, which finds out by itself.
    pub(super) fn forget(&self) -> bool {
        let turn = self.turns.try_acquire();
        turn.is_ok() && self.rest().activation.take().is_some()
    }

    pub(super) fn since(&self) -> Instant {
        self.rest().since
    }

    fn rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock()
    }
}
