//! Mail as an outside system.

mod bindings;
mod letter;
mod metered;
mod session;

use wythe_blocks::Registry;

/// Registers `bindings.smtp`.
pub fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_warned("smtp", bindings::parse, bindings::warnings, bindings::open);
    registry.bindings.reaches_out("smtp");
}
