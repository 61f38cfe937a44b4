//! The technologies that answer: one folder each, and here the list of them all.
//!
//! ```
//! let registry = wythe_drivers::registry();
//! assert!(registry.state.names().any(|name| name == "memory"));
//! ```

#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    expect(dead_code, reason = "only durable drivers use all")
)]
mod apply;
mod environment;
mod etag;
mod items;
#[cfg_attr(
    not(feature = "files"),
    expect(dead_code, reason = "only files are told apart by what is in them")
)]
mod keys;
mod leases;
#[cfg_attr(
    not(feature = "redb"),
    expect(dead_code, reason = "only durable locks use all")
)]
mod locks;
mod memory;
mod name;
mod nested;
mod operator;
mod page;
mod queue;
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    expect(dead_code, reason = "only durable drivers use all")
)]
mod record;
mod retry;
mod seat;
#[cfg_attr(
    not(feature = "redb"),
    expect(dead_code, reason = "only durable queues use all")
)]
mod topics;

#[cfg(any(feature = "redb", feature = "sled"))]
mod committer;
#[cfg(feature = "cron")]
mod cron;
#[cfg(feature = "directory")]
mod directory;
#[cfg(any(
    feature = "directory",
    feature = "files",
    feature = "redb",
    feature = "sled"
))]
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    expect(dead_code, reason = "only durable stores use all")
)]
mod disk;
#[cfg(feature = "files")]
mod files;
#[cfg(any(feature = "redb", feature = "sled"))]
mod handle;
#[cfg(any(feature = "redb", feature = "sled"))]
mod local;
#[cfg(feature = "mail")]
mod mail;
#[cfg(feature = "redb")]
mod message;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "redb")]
mod row;
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
