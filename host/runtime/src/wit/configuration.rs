//! `wythe:blocks/configuration` for guests.

use crate::bindings::app::wythe::blocks::configuration as wit;
use wythe_blocks::configuration;

impl From<configuration::Item> for wit::Item {
    fn from(item: configuration::Item) -> Self {
        wit::Item {
            key: item.key,
            value: item.value,
            version: item.version,
            metadata: item.metadata,
        }
    }
}
