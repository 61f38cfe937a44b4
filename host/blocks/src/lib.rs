//! What an app may ask for: the rules of every block, with no wasm, no server and no technology in them.
//!
//! A skin finds a component in a block and calls it; [`Component::call`] is the one place where a driver is called.

pub mod actors;
mod app;
pub mod bindings;
mod caller;
mod component;
pub mod configuration;
pub mod crypto;
mod environment;
mod error;
mod host;
pub mod invocation;
pub mod jobs;
pub mod lock;
mod metrics;
mod opening;
mod policy;
mod prepared;
pub mod pubsub;
mod registry;
pub mod secrets;
pub mod state;
mod tasks;
pub mod workflow;

pub use app::{App, Body, Exports, body_from};
pub use caller::{Caller, MAX_CHAIN, Trace};
pub use component::{Component, Components, Operation};
pub use environment::Environment;
pub use error::{Error, Kind, Result};
pub use host::{Checked, Host, Settings};
pub use metrics::{Metrics, Outcome};
pub use policy::Policy;
pub use registry::{Drivers, Ready, Registry, Site, Wrong};
pub use tasks::Tasks;
pub use wythe_manifest as manifest;
