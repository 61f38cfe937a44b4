//! The room of HTTP: requests of strangers to apps, metrics and health, in one server; there is no engine here.

pub mod admin;
mod body;
mod error;
mod health;
mod ingress;
pub mod metrics;
mod refusals;
mod serve;
mod webhooks;

pub use ingress::Ingress;
pub use refusals::Audience;
