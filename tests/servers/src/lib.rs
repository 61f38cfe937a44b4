//! Real servers for the tests: each runs on a free port, in a directory of its own, and ends with the test process.
//!
//! A server is a [`Program`] in a file of its own, which knows its command line and when it answers; all the rest is
//! [`Server`]. [`Proxy`] stands before a server where the network is to fail.
//!
//! ```no_run
//! let redis = servers::Server::start(servers::Redis::default())?;
//! redis.kill();
//! redis.restart();
//! # Ok::<(), servers::Missing>(())
//! ```

mod azurite;
mod etcd;
mod http;
mod kafka;
mod mariadb;
mod memcached;
mod mosquitto;
mod moto;
mod nats;
mod postgres;
mod process;
mod program;
mod proxy;
mod rabbitmq;
mod redis;
mod sentinel;
mod server;

pub use azurite::{Azurite, Service};
pub use etcd::Etcd;
pub use kafka::Kafka;
pub use mariadb::MariaDb;
pub use memcached::Memcached;
pub use mosquitto::Mosquitto;
pub use moto::Moto;
pub use nats::Nats;
pub use postgres::Postgres;
pub(crate) use program::find;
pub use program::{Missing, Program, Site};
pub use proxy::Proxy;
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use sentinel::Sentinel;
pub use server::Server;

/// Returns whether a server that is missing fails the tests: all do that are required, but for those which `WYTHE_ABSENT` names by
/// the variables that would say where they are, such as `WYTHE_KAFKA`.
pub fn must_be_there(missing: &Missing) -> bool {
    let absent = std::env::var("WYTHE_ABSENT").unwrap_or_default();
    let is_absent = |name: &str| missing.0.contains(name);
    are_required() && !absent.split_whitespace().any(is_absent)
}

/// Returns whether a server that is missing fails the tests: `WYTHE_SERVERS=required`.
pub fn are_required() -> bool {
    std::env::var("WYTHE_SERVERS").is_ok_and(|value| value == "required")
}
