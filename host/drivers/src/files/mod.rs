//! Files beside the project, written by people.

mod secrets;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.secrets.add("local.file", secrets::open);
}
