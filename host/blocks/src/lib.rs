//! The blocks that an app may ask for: the rules of each, with no wasm, no server and no technology in them.
//!
//! A skin finds a component in a block and calls it. [`Component::call`] is the one place where a driver is called, and
//! [`App`] the one way into an app.

mod account;
pub mod actors;
mod app;
mod backoff;
mod between;
pub mod bindings;
mod call;
mod component;
pub mod configuration;
pub mod connections;
pub mod cron;
pub mod crypto;
pub mod descriptors;
mod environment;
mod error;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod host;
pub mod interfaces;
pub mod invocation;
pub mod jobs;
mod key;
pub mod key_file;
mod last;
pub mod lock;
mod logs;
mod metrics;
mod notices;
mod opening;
mod pages;
pub mod panics;
mod patient;
mod policy;
mod prepared;
pub mod pubsub;
pub mod quota;
pub mod random;
mod rate;
mod registry;
mod routes;
mod scrub;
pub mod secrets;
mod shard;
mod shares;
pub mod state;
mod tasks;
mod tenant;
pub mod text;
pub mod time;
pub mod work;
pub mod workflow;

pub use account::{Account, Permit};
pub use app::{Admission, App, Body, Callee, Exports, Origin, Profile, Usage, body_from};
pub use backoff::Backoff;
pub use call::{CALL, Call, Carried, MAX_CHAIN, Trace, TurnId};
pub use component::{Component, Components, Operation, Slot};
pub use environment::Environment;
pub use error::{Detail, Error, Kind, Result};
pub use host::Host;
pub use key::Key;
pub use last::Failed;
pub use logs::{Line, Logs};
pub use metrics::{Metrics, Outcome};
pub use notices::{Notice, Notices};
pub use patient::Patient;
pub use policy::Policy;
pub use rate::Rate;
pub use registry::{Drivers, Ready, Registry, Site, Wrong};
pub use routes::{Destination, Entrance, REFUSALS, Route, Routes};
pub use shard::{SHARDS, Shard};
pub use tasks::Tasks;
pub use tenant::{Checked, Report, Settings, Shared, Tenant};
pub use wythe_manifest as manifest;
