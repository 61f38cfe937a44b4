//! The optional exports of an app; together they implement `blocks::App`.

pub mod http;
pub mod invocation;
pub mod subscriber;
