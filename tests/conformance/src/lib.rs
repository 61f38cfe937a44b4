//! The duties of every driver, as one suite of cases per block; a case that a driver cannot run says why.
//!
//! A case is given a [`Subject`]: a driver on storage of its own, which it may close and open again. The tests of
//! this package run all cases over the native drivers; whoever brings other drivers runs the same ones.

#![expect(clippy::unwrap_used, reason = "a case fails where it unwraps")]

pub mod actors;
pub mod bindings;
pub mod configuration;
pub mod crypto;
pub mod jobs;
pub mod lock;
pub mod old;
pub mod pubsub;
mod quotas;
pub mod random;
pub mod receiver;
pub mod secrets;
pub mod state;
mod subject;
mod trial;

pub use quotas::{quotas, terms};
pub use subject::{Closable, Open, Subject};
pub use trial::{Opener, features, runtime, trial};
