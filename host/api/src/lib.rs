//! The room of HTTP: requests of strangers to apps, metrics and health, in one server; there is no engine here.

pub mod admin;
mod body;
pub mod dashboard;
mod error;
mod forward;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod health;
mod ingress;
pub mod metrics;
mod refusals;
mod serve;
mod tls;
mod webhooks;

pub use ingress::{ACCESS, Ingress, Listeners};
pub use refusals::Audience;
pub use tls::Certificates;
