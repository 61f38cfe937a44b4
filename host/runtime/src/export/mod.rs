//! The optional exports of an app; together they implement `blocks::App`.

pub mod actors;
pub mod bindings;
pub mod configuration;
pub mod http;
pub mod invocation;
pub mod jobs;
pub mod subscriber;
pub mod workflow;
