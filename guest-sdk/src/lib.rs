//! Write apps and drivers for Wythe: an idiomatic skin over the blocks of `wit/`.
//!
//! ```no_run
//! use wythe_sdk::{Result, http, pubsub, state::Store};
//! use wythe_sdk::pubsub::{Delivery, Subscription, Verdict};
//!
//! struct App;
//!
//! impl http::Handler for App {
//!     fn handle(_request: http::Request) -> Result<http::Response> {
//!         let visits = Store::open("statestore")?.increment("visits", 1)?;
//!         Ok(http::Response::text(format!("hello, visitor {visits}")))
//!     }
//! }
//!
//! impl pubsub::Subscriber for App {
//!     fn subscriptions() -> Vec<Subscription> {
//!         vec![Subscription::to("pubsub", "visits")]
//!     }
//!     fn on_event(event: Delivery) -> Verdict {
//!         wythe_sdk::info!("attempt {} of {:?}", event.attempt, event.event.id);
//!         Verdict::Ack
//!     }
//! }
//!
//! wythe_sdk::serve!(App);
//! wythe_sdk::subscribe!(App);
//! ```
//!
//! Nothing is hidden: records are those of the contract with methods added, and each macro only puts the exported function
//! of the contract in front of the trait that the app implements. What an app does not call, its component does not import.
pub mod actors;
pub mod bindings;
pub mod configuration;
pub mod contract;
pub mod crypto;
pub mod error;
pub mod http;
pub mod invocation;
pub mod jobs;
pub mod lock;
pub mod logging;
pub mod plugin;
pub mod pubsub;
pub mod secrets;
pub mod state;
pub mod workflow;

pub use error::{Error, Kind, Result};
/// The WASI types themselves, for what the skins leave out.
pub use wasip2;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A length of time as the contract has it; what is too long is as long as it can be.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A point in time as the contract has it; what was before 1970 is its beginning.
pub fn timestamp(time: SystemTime) -> u64 {
    milliseconds(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A point in time of the contract as Rust has it.
pub fn time(timestamp: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(timestamp))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        assert_eq!(timestamp(time(1_700_000_000_123)), 1_700_000_000_123);
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(milliseconds(Duration::MAX), u64::MAX);
    }
}
