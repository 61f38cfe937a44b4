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
mod etag;
#[cfg_attr(
    not(feature = "redb"),
    expect(dead_code, reason = "only durable locks use all")
)]
mod locks;
mod memory;
mod page;
mod queue;
#[cfg_attr(
    not(any(feature = "redb", feature = "sled")),
    expect(dead_code, reason = "only durable drivers use all")
)]
mod record;
mod seat;
#[cfg_attr(
    not(feature = "redb"),
    expect(dead_code, reason = "only durable queues use all")
)]
mod topics;

#[cfg(any(feature = "redb", feature = "sled"))]
mod committer;
#[cfg(any(feature = "redb", feature = "sled"))]
mod disk;
#[cfg(any(feature = "redb", feature = "sled"))]
mod handle;
#[cfg(any(feature = "redb", feature = "sled"))]
mod local;
#[cfg(feature = "redb")]
mod message;
#[cfg(feature = "redb")]
mod redb;
#[cfg(feature = "sled")]
mod sled;

use wythe_blocks::Registry;

/// Every driver of this build.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    memory::register(&mut registry);
    #[cfg(feature = "redb")]
    redb::register(&mut registry);
    #[cfg(feature = "sled")]
    sled::register(&mut registry);
    registry
}
