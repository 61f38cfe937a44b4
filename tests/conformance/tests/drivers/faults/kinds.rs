//! The kinds of servers whose faults are tested.

use super::{
    etcd, events, history, kafka, memcached, mqtt, mysql, nats, postgres, rabbitmq, rows, values,
};
use crate::backends::{
    Backend, ETCD, KAFKA, MARIADB, MEMCACHED, MQTT, NATS, POSTGRES, RABBITMQ, REDIS,
};
use servers::{
    Etcd, MariaDb, Memcached, Missing, Mosquitto, Nats, Postgres, RabbitMq, Redis, Server,
};
use std::net::SocketAddr;

/// A kind of server, and the drivers over it.
pub(crate) struct Kinds {
    pub name: &'static str,
    pub backend: &'static Backend,
    pub start: fn() -> Result<Server, Missing>,
    pub driver: &'static str,
    /// The metadata of a block that name a server at an address, in YAML.
    pub metadata: fn(&str, SocketAddr) -> String,
    /// The key of the time of one request.
    pub timeout: &'static str,
    /// The key of the time after which a message of a host that is gone goes to another one, where that is a setting.
    pub processing: Option<&'static str>,
    /// Acknowledgements that may be on their way when a connection breaks, where the server has no answer to them.
    pub unanswered: usize,
    /// Says why the server of this machine can do no pub/sub, or not sync each write.
    pub lacks: fn() -> Option<Missing>,
    /// Tests of pub/sub.
    pub events: &'static [&'static [(&'static str, Test)]],
    /// All other tests.
    pub others: &'static [&'static [(&'static str, Test)]],
}

/// A test that needs a server; one is started for it alone.
pub(crate) type Test = fn(&'static Kinds, Server);

const LEASE: Option<&str> = Some("processingTimeout");

pub(super) static KINDS: &[Kinds] = &[
    Kinds {
        name: "etcd",
        backend: &ETCD,
        start: || Server::start(Etcd::default()),
        driver: "etcd",
        metadata: etcd::metadata,
        timeout: "timeout",
        processing: None,
        unanswered: 0,
        lacks: || None,
        events: &[],
        others: &[history::TESTS, values::TESTS, etcd::TESTS],
    },
    Kinds {
        name: "kafka",
        backend: &KAFKA,
        start: kafka::start,
        driver: "kafka",
        metadata: |_, address| format!("{{ name: brokers, value: \"{address}\" }}"),
        timeout: "timeout",
        processing: Some("sessionTimeout"),
        unanswered: 0,
        lacks: kafka::unproved,
        events: &[events::TESTS, events::TAKEN_OVER],
        others: &[kafka::TESTS],
    },
    Kinds {
        name: "memcached",
        backend: &MEMCACHED,
        start: || Server::start(Memcached::default()),
        driver: "memcached",
        metadata: |_, address| format!("{{ name: hosts, value: \"{address}\" }}"),
        timeout: "timeout",
        processing: None,
        unanswered: 0,
        lacks: || None,
        events: &[],
        others: &[values::OF_CACHES, memcached::TESTS],
    },
    Kinds {
        name: "mqtt",
        backend: &MQTT,
        start: || Server::start(Mosquitto::default()),
        driver: "mqtt3",
        metadata: |_, address| format!("{{ name: url, value: \"tcp://{address}\" }}"),
        timeout: "timeout",
        processing: None,
        unanswered: 200,
        lacks: || None,
        events: &[events::TAKEN_OVER],
        others: &[mqtt::TESTS],
    },
    Kinds {
        name: "mysql",
        backend: &MARIADB,
        start: || Server::start(MariaDb::default()),
        driver: "mysql",
        metadata: |_, address| {
            let port = address.port();
            format!("{{ name: connectionString, value: \"wythe:secret@tcp(127.0.0.1:{port})/\" }}")
        },
        timeout: "timeoutInSeconds",
        processing: None,
        unanswered: 0,
        lacks: || None,
        events: &[],
        others: &[history::TESTS, values::TESTS, mysql::TESTS],
    },
    Kinds {
        name: "nats",
        backend: &NATS,
        start: || Server::start(Nats::default()),
        driver: "jetstream",
        metadata: nats::metadata,
        timeout: "timeout",
        processing: Some("ackWait"),
        unanswered: 0,
        lacks: || Nats::check_streams().err(),
        events: &[events::TESTS, events::TAKEN_OVER, nats::EVENTS],
        others: &[history::TESTS, values::TESTS, nats::TESTS],
    },
    Kinds {
        name: "postgres",
        backend: &POSTGRES,
        start: || Server::start(Postgres),
        driver: "postgresql",
        metadata: |_, address| {
            let port = address.port();
            format!("{{ name: connectionString, value: host=127.0.0.1 port={port} user=postgres }}")
        },
        timeout: "timeout",
        processing: LEASE,
        unanswered: 0,
        lacks: || None,
        events: &[events::TESTS, events::TAKEN_OVER],
        others: &[history::TESTS, values::TESTS, postgres::TESTS],
    },
    Kinds {
        name: "rabbitmq",
        backend: &RABBITMQ,
        start: || Server::start(RabbitMq::default()),
        driver: "rabbitmq",
        metadata: |_, address| {
            format!("{{ name: connectionString, value: \"amqp://guest:guest@{address}\" }}")
        },
        timeout: "timeout",
        processing: None,
        unanswered: 200,
        lacks: || None,
        events: &[events::TESTS, events::TAKEN_OVER],
        others: &[rabbitmq::TESTS],
    },
    Kinds {
        name: "redis",
        backend: &REDIS,
        start: || Server::start(Redis::default()),
        driver: "redis",
        metadata: |_, address| format!("{{ name: redisHost, value: \"{address}\" }}"),
        timeout: "readTimeout",
        processing: LEASE,
        unanswered: 0,
        lacks: || None,
        events: &[events::TESTS, events::TAKEN_OVER, events::OF_REDIS],
        others: &[history::TESTS, values::TESTS, rows::TESTS, values::OF_REDIS],
    },
];
