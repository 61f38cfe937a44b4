//! The technologies that answer: one crate each beside this one, and here the list of them all.
//!
//! ```
//! let registry = wythe_drivers::registry();
//! assert!(registry.state.names().any(|name| name == "memory"));
//! ```

mod dapr;

use wythe_blocks::Registry;

/// Returns every driver of this build.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    wythe_drivers_embedded::register(&mut registry);
    #[cfg(feature = "web")]
    wythe_drivers_http::register(&mut registry);
    #[cfg(feature = "mysql")]
    wythe_drivers_mysql::register(&mut registry);
    #[cfg(feature = "postgres")]
    wythe_drivers_postgres::register(&mut registry);
    #[cfg(feature = "redis")]
    wythe_drivers_redis::register(&mut registry);
    #[cfg(feature = "mail")]
    wythe_drivers_smtp::register(&mut registry);
    #[cfg(feature = "sqlite")]
    wythe_drivers_sqlite::register(&mut registry);
    #[cfg(not(feature = "mysql"))]
    for block in ["bindings", "state"] {
        registry.lacks(block, "mysql", wythe_blocks::Missing::Feature("mysql"));
    }
    #[cfg(not(feature = "postgres"))]
    for block in [
        "bindings",
        "configuration",
        "jobs",
        "lock",
        "pubsub",
        "state",
    ] {
        registry.lacks(
            block,
            "postgresql",
            wythe_blocks::Missing::Feature("postgres"),
        );
    }
    #[cfg(not(feature = "redis"))]
    for block in ["bindings", "configuration", "lock", "pubsub", "state"] {
        registry.lacks(block, "redis", wythe_blocks::Missing::Feature("redis"));
    }
    #[cfg(not(feature = "sqlite"))]
    for block in ["configuration", "state"] {
        registry.lacks(block, "sqlite", wythe_blocks::Missing::Feature("sqlite"));
    }
    dapr::register(&mut registry);
    registry
}
