//! The technologies that answer: one folder each, and here the list of them all.
//!
//! ```
//! let registry = wythe_drivers::registry();
//! assert!(registry.state.names().any(|name| name == "memory"));
//! ```

#![cfg_attr(
    not(all(feature = "files", feature = "redb")),
    expect(
        dead_code,
        reason = "a build with fewer drivers uses less of what they share"
    )
)]

mod environment;
mod memory;
mod shared;

#[cfg(feature = "cron")]
mod cron;
#[cfg(feature = "directory")]
mod directory;
#[cfg(any(feature = "redb", feature = "sled"))]
mod durable;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "mail")]
mod mail;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "sled")]
mod sled;
#[cfg(feature = "web")]
mod web;
#[cfg(feature = "webhook")]
mod webhook;

use wythe_blocks::Registry;

/// Every driver of this build.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    #[cfg(feature = "cron")]
    cron::register(&mut registry);
    #[cfg(feature = "directory")]
    directory::register(&mut registry);
    environment::register(&mut registry);
    #[cfg(feature = "files")]
    files::register(&mut registry);
    #[cfg(feature = "mail")]
    mail::register(&mut registry);
    memory::register(&mut registry);
    #[cfg(feature = "redb")]
    redb::register(&mut registry);
    #[cfg(feature = "sled")]
    sled::register(&mut registry);
    #[cfg(feature = "web")]
    web::register(&mut registry);
    #[cfg(feature = "webhook")]
    webhook::register(&mut registry);
    registry
}
