//! HTTP as an outside system.

mod answer;
mod asked;
mod bindings;
mod call;
mod fetch;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod middleware;
mod target;
#[cfg(test)]
mod tests;

use wythe_blocks::Registry;

/// Registers `bindings.http`.
pub fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_parsed("http", bindings::parse, bindings::open);
    registry.bindings.reaches_out("http");
    middleware::register(registry);
}
