//! The drivers that need no client: what they do, the host's own process does.

#![cfg_attr(
    not(all(feature = "file", feature = "redb")),
    expect(
        dead_code,
        reason = "a build with fewer drivers uses less of what they share"
    )
)]

mod env;
mod memory;
mod shared;

#[cfg(feature = "cron")]
mod cron;
#[cfg(feature = "directory")]
mod directory;
#[cfg(any(feature = "redb", feature = "sled"))]
mod durable;
#[cfg(feature = "file")]
mod file;
#[cfg(all(any(fuzzing, test), feature = "redb"))]
pub mod fuzzing;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "webhook")]
mod webhook;

use wythe_blocks::Registry;

/// Registers every driver of this crate.
pub fn register(registry: &mut Registry) {
    #[cfg(feature = "cron")]
    cron::register(registry);
    #[cfg(feature = "directory")]
    directory::register(registry);
    env::register(registry);
    #[cfg(feature = "file")]
    file::register(registry);
    memory::register(registry);
    #[cfg(feature = "redb")]
    redb::register(registry);
    #[cfg(feature = "sled")]
    sled::register(registry);
    #[cfg(feature = "webhook")]
    webhook::register(registry);
}
