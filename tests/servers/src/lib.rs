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

mod etcd;
mod mariadb;
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

pub use etcd::Etcd;
pub use mariadb::MariaDb;
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

/// Returns whether a server that is missing fails the tests: `WYTHE_SERVERS=required`.
pub fn are_required() -> bool {
    std::env::var("WYTHE_SERVERS").is_ok_and(|value| value == "required")
}
