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
    #[cfg(feature = "mqtt")]
    wythe_drivers_mqtt::register(&mut registry);
    #[cfg(feature = "postgres")]
    wythe_drivers_postgres::register(&mut registry);
    #[cfg(feature = "rabbitmq")]
    wythe_drivers_rabbitmq::register(&mut registry);
    #[cfg(feature = "redis")]
    wythe_drivers_redis::register(&mut registry);
    #[cfg(feature = "mail")]
    wythe_drivers_smtp::register(&mut registry);
    #[cfg(not(feature = "mqtt"))]
    for block in ["bindings", "pubsub"] {
        registry.lacks(block, "mqtt3", wythe_blocks::Missing::Feature("mqtt"));
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
    #[cfg(not(feature = "rabbitmq"))]
    for block in ["bindings", "pubsub"] {
        registry.lacks(
            block,
            "rabbitmq",
            wythe_blocks::Missing::Feature("rabbitmq"),
        );
    }
    #[cfg(not(feature = "redis"))]
    for block in ["bindings", "configuration", "lock", "pubsub", "state"] {
        registry.lacks(block, "redis", wythe_blocks::Missing::Feature("redis"));
    }
    dapr::register(&mut registry);
    registry
}
