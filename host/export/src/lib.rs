//! The way out for finished spans: OTLP by gRPC or HTTP, Zipkin, and lines of JSON. Nothing that runs waits for it.

mod client;
mod environment;
mod exporter;
mod lines;
mod otlp;
mod plan;
mod resource;
mod task;
mod trust;
mod zipkin;

pub use environment::{CERTIFICATES, NAMES};
pub use plan::{Plan, Print, Wrong};
pub use task::Exporting;
