//! The environment of the host's process, as the command line read it.

mod secrets;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.secrets.add("local.env", secrets::open);
}
