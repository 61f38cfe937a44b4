//! The technologies that answer: one crate each beside this one, and here the list of them all.
//!
//! ```
//! let registry = wythe_drivers::registry();
//! assert!(registry.state.names().any(|name| name == "memory"));
//! ```

mod dapr;

use wythe_blocks::{Missing, Registry};

/// The features without which a technology is missed by its name: whether it is on, the feature, the driver, its blocks.
const FEATURES: &[(bool, &str, &str, &[&str])] = &[
    (cfg!(feature = "aws"), "aws", "aws.dynamodb", &["state"]),
    (
        cfg!(feature = "aws"),
        "aws",
        "aws.parameterstore",
        &["secretstores"],
    ),
    (cfg!(feature = "aws"), "aws", "aws.s3", &["bindings"]),
    (
        cfg!(feature = "aws"),
        "aws",
        "aws.secretmanager",
        &["secretstores"],
    ),
    (
        cfg!(feature = "aws"),
        "aws",
        "aws.secretsmanager",
        &["secretstores"],
    ),
    (cfg!(feature = "aws"), "aws", "aws.sns", &["bindings"]),
    (cfg!(feature = "aws"), "aws", "aws.snssqs", &["pubsub"]),
    (cfg!(feature = "aws"), "aws", "aws.sqs", &["bindings"]),
    (
        cfg!(feature = "etcd"),
        "etcd",
        "etcd",
        &["configuration", "lock", "state"],
    ),
    (
        cfg!(feature = "mqtt"),
        "mqtt",
        "mqtt3",
        &["bindings", "pubsub"],
    ),
    (
        cfg!(feature = "mysql"),
        "mysql",
        "mysql",
        &["bindings", "state"],
    ),
    (
        cfg!(feature = "nats"),
        "nats",
        "jetstream",
        &["configuration", "lock", "pubsub", "state"],
    ),
    (
        cfg!(feature = "postgres"),
        "postgres",
        "postgresql",
        &[
            "bindings",
            "configuration",
            "jobs",
            "lock",
            "pubsub",
            "state",
        ],
    ),
    (
        cfg!(feature = "rabbitmq"),
        "rabbitmq",
        "rabbitmq",
        &["bindings", "pubsub"],
    ),
    (
        cfg!(feature = "redis"),
        "redis",
        "redis",
        &["bindings", "configuration", "lock", "pubsub", "state"],
    ),
    (
        cfg!(feature = "sqlite"),
        "sqlite",
        "sqlite",
        &["configuration", "state"],
    ),
    (
        cfg!(feature = "vault"),
        "vault",
        "hashicorp.vault",
        &["secretstores"],
    ),
];

/// Returns every driver of this build.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    wythe_drivers_embedded::register(&mut registry);
    #[cfg(feature = "aws")]
    wythe_drivers_aws::register(&mut registry);
    #[cfg(feature = "etcd")]
    wythe_drivers_etcd::register(&mut registry);
    #[cfg(feature = "web")]
    wythe_drivers_http::register(&mut registry);
    #[cfg(feature = "mqtt")]
    wythe_drivers_mqtt::register(&mut registry);
    #[cfg(feature = "mysql")]
    wythe_drivers_mysql::register(&mut registry);
    #[cfg(feature = "nats")]
    wythe_drivers_nats::register(&mut registry);
    #[cfg(feature = "postgres")]
    wythe_drivers_postgres::register(&mut registry);
    #[cfg(feature = "rabbitmq")]
    wythe_drivers_rabbitmq::register(&mut registry);
    #[cfg(feature = "redis")]
    wythe_drivers_redis::register(&mut registry);
    #[cfg(feature = "mail")]
    wythe_drivers_smtp::register(&mut registry);
    #[cfg(feature = "sqlite")]
    wythe_drivers_sqlite::register(&mut registry);
    #[cfg(feature = "vault")]
    wythe_drivers_vault::register(&mut registry);
    let absent = FEATURES.iter().filter(|(is_on, ..)| !is_on);
    for (_, feature, driver, blocks) in absent {
        for block in *blocks {
            registry.lacks(block, driver, Missing::Feature(feature));
        }
    }
    dapr::register(&mut registry);
    registry
}
