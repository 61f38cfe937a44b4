//! The technologies that answer: one crate each beside this one, and here the list of them all.
//!
//! ```
//! let registry = wythe_drivers::registry();
//! assert!(registry.state.names().any(|name| name == "memory"));
//! ```

mod dapr;

use wythe_blocks::{Missing, Registry};

/// A technology that a feature brings: whether that is on, its name, and the drivers with their blocks.
type Optional = (
    bool,
    &'static str,
    &'static [(&'static str, &'static [&'static str])],
);

/// The features without which a technology is missed by its name.
const FEATURES: &[Optional] = &[
    (
        cfg!(feature = "aws"),
        "aws",
        &[
            ("aws.dynamodb", &["state"]),
            ("aws.parameterstore", &["secretstores"]),
            ("aws.s3", &["bindings"]),
            ("aws.secretmanager", &["secretstores"]),
            ("aws.secretsmanager", &["secretstores"]),
            ("aws.sns", &["bindings"]),
            ("aws.snssqs", &["pubsub"]),
            ("aws.sqs", &["bindings"]),
        ],
    ),
    (
        cfg!(feature = "azure"),
        "azure",
        &[
            ("azure.blobstorage", &["bindings", "state"]),
            ("azure.storagequeues", &["bindings"]),
        ],
    ),
    (
        cfg!(feature = "etcd"),
        "etcd",
        &[("etcd", &["configuration", "lock", "state"])],
    ),
    (
        cfg!(feature = "kafka"),
        "kafka",
        &[("kafka", &["bindings", "pubsub"])],
    ),
    (
        cfg!(feature = "kubernetes"),
        "kubernetes",
        &[("kubernetes", &["configuration", "secretstores"])],
    ),
    (
        cfg!(feature = "memcached"),
        "memcached",
        &[("memcached", &["state"])],
    ),
    (
        cfg!(feature = "mqtt"),
        "mqtt",
        &[("mqtt3", &["bindings", "pubsub"])],
    ),
    (
        cfg!(feature = "mysql"),
        "mysql",
        &[("mysql", &["bindings", "state"])],
    ),
    (
        cfg!(feature = "nats"),
        "nats",
        &[("jetstream", &["configuration", "lock", "pubsub", "state"])],
    ),
    (
        cfg!(feature = "postgres"),
        "postgres",
        &[(
            "postgresql",
            &[
                "bindings",
                "configuration",
                "jobs",
                "lock",
                "pubsub",
                "state",
            ],
        )],
    ),
    (
        cfg!(feature = "rabbitmq"),
        "rabbitmq",
        &[("rabbitmq", &["bindings", "pubsub"])],
    ),
    (
        cfg!(feature = "redis"),
        "redis",
        &[(
            "redis",
            &["bindings", "configuration", "lock", "pubsub", "state"],
        )],
    ),
    (
        cfg!(feature = "sqlite"),
        "sqlite",
        &[("sqlite", &["configuration", "state"])],
    ),
    (
        cfg!(feature = "vault"),
        "vault",
        &[("hashicorp.vault", &["secretstores"])],
    ),
];

/// Returns every driver of this build.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    wythe_drivers_embedded::register(&mut registry);
    #[cfg(feature = "aws")]
    wythe_drivers_aws::register(&mut registry);
    #[cfg(feature = "azure")]
    wythe_drivers_azure::register(&mut registry);
    #[cfg(feature = "etcd")]
    wythe_drivers_etcd::register(&mut registry);
    #[cfg(feature = "web")]
    wythe_drivers_http::register(&mut registry);
    #[cfg(feature = "kafka")]
    wythe_drivers_kafka::register(&mut registry);
    #[cfg(feature = "kubernetes")]
    wythe_drivers_kubernetes::register(&mut registry);
    #[cfg(feature = "memcached")]
    wythe_drivers_memcached::register(&mut registry);
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
    for (_, feature, drivers) in absent {
        for (driver, blocks) in *drivers {
            for block in *blocks {
                registry.lacks(block, driver, Missing::Feature(feature));
            }
        }
    }
    dapr::register(&mut registry);
    registry
}
