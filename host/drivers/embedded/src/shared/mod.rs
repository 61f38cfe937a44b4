//! The parts that several technologies of this crate use, by block.

pub(crate) mod clock;
pub(crate) mod configuration;
pub(crate) mod directories;
pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod lock;
pub(crate) mod pubsub;
pub(crate) mod secrets;
pub(crate) mod state;

use wythe_blocks::Backoff;

/// The pause before a source delivers again what its app did not take.
pub(crate) const AGAIN: Backoff = Backoff::SLOW;
