//! A directory as an outside system: each file that comes to lie in it is a message.

mod bindings;
mod folder;
mod pattern;
mod waiting;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_parsed("directory", bindings::parse, bindings::open);
}
