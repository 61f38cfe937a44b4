//! The servers under test: one of each kind for the whole run, in which each test has a key space of its own.

use crate::list::Subject;
use conformance::secrets::{SEVERAL, STORED};
use libtest_mimic::{Failed, Trial};
use parking_lot::Mutex;
use serde_json::{Value, json};
use servers::{
    Azurite, Etcd, Kafka, MariaDb, Memcached, Missing, Mosquitto, Moto, Nats, Postgres, RabbitMq,
    Redis, Server, Service, must_be_there,
};
use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU16, Ordering::SeqCst},
    },
    thread,
};

/// A kind of server.
pub(crate) struct Backend {
    server: LazyLock<Result<Server, Missing>>,
    /// The placeholders of a subject's metadata, for a key space that is new, by the subject's type.
    fresh: fn(&Server, &str) -> Vec<(&'static str, Value)>,
}

pub(crate) static REDIS: Backend = Backend {
    server: LazyLock::new(|| Server::start(Redis::default().with("databases 8192"))),
    fresh: |server, _| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let database = NEXT.fetch_add(1, SeqCst);
        vec![
            ("host", server.address().to_string().into()),
            ("database", database.to_string().into()),
        ]
    },
};

pub(crate) static POSTGRES: Backend = Backend {
    server: LazyLock::new(|| Server::start(Postgres)),
    fresh: |server, _| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        // The name keeps tests apart that would share connections, each in a runtime of its own.
        let connection = format!(
            "host=127.0.0.1 port={} user=postgres application_name=test{number}",
            server.address().port()
        );
        vec![
            ("connection", connection.into()),
            ("prefix", format!("test{number}_").into()),
        ]
    },
};

pub(crate) static AWS: Backend = Backend {
    server: LazyLock::new(|| Server::start(Moto::default())),
    fresh: |server, kind| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        // Services of one region know nothing of those of another one; buckets are in all of them.
        let (region, bucket) = (format!("test-{number}"), format!("test-{number}"));
        match kind {
            "bindings.aws.s3" => Moto::bucket(server.address(), &bucket),
            "bindings.aws.sns" => {
                let body = "Action=CreateTopic&Version=2010-03-31&Name=topic";
                Moto::form(server.address(), ("sns", &region), body);
            }
            "bindings.aws.sqs" => {
                let (target, body) = ("AmazonSQS.CreateQueue", r#"{"QueueName":"queue"}"#);
                Moto::json(server.address(), ("sqs", &region), target, body);
            }
            "state.aws.dynamodb" => {
                let target = "DynamoDB_20120810.CreateTable";
                Moto::json(server.address(), ("dynamodb", &region), target, TABLE);
            }
            kind if kind.starts_with("secretstores.") => aws_secrets(server, &region),
            _ => {}
        }
        vec![
            ("endpoint", format!("http://{}", server.address()).into()),
            (
                "topic",
                format!("arn:aws:sns:{region}:123456789012:topic").into(),
            ),
            ("queue", "queue".into()),
            ("region", region.into()),
            ("bucket", bucket.into()),
        ]
    },
};

pub(crate) static AZURE_BLOBS: Backend = Backend {
    server: LazyLock::new(|| Server::start(Azurite(Service::Blob))),
    fresh: account_of_azure,
};

pub(crate) static AZURE_QUEUES: Backend = Backend {
    server: LazyLock::new(|| Server::start(Azurite(Service::Queue))),
    fresh: account_of_azure,
};

/// Each test has a container or a queue of its own.
fn account_of_azure(server: &Server, _: &str) -> Vec<(&'static str, Value)> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let number = NEXT.fetch_add(1, SeqCst);
    vec![
        ("endpoint", format!("http://{}", server.address()).into()),
        ("account", Azurite::ACCOUNT.into()),
        ("key", Azurite::KEY.into()),
        ("place", format!("test-{number}").into()),
    ]
}

/// The table of the suite: no key but the partition's.
pub(crate) const TABLE: &str = r#"{"TableName":"table","BillingMode":"PAY_PER_REQUEST",
    "AttributeDefinitions":[{"AttributeName":"key","AttributeType":"S"}],
    "KeySchema":[{"AttributeName":"key","KeyType":"HASH"}]}"#;

/// Puts the secrets of the suite into both stores of a region; an empty text is no secret there.
fn aws_secrets(server: &Server, region: &str) {
    let several: serde_json::Map<_, _> = SEVERAL
        .1
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let several = (SEVERAL.0, Value::Object(several).to_string());
    let stored = STORED.map(|(name, value)| (name, value.to_owned()));
    for (name, value) in stored.into_iter().chain([several]) {
        let secret =
            json!({ "Name": name, "SecretString": value, "ClientRequestToken": "0".repeat(32) });
        let target = "secretsmanager.CreateSecret";
        Moto::json(
            server.address(),
            ("secretsmanager", region),
            target,
            &secret.to_string(),
        );
        let parameter =
            json!({ "Name": format!("/suite/{name}"), "Value": value, "Type": "SecureString" });
        let target = "AmazonSSM.PutParameter";
        Moto::json(
            server.address(),
            ("ssm", region),
            target,
            &parameter.to_string(),
        );
    }
}

/// Each test has a prefix of its own.
pub(crate) static ETCD: Backend = Backend {
    server: LazyLock::new(|| {
        let etcd = Etcd::default().with("--max-txn-ops=1024");
        Server::start(etcd.with("--max-request-bytes=8388608"))
    }),
    fresh: |server, _| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        // The time keeps tests apart that would share connections, each in a runtime of its own.
        let time = format!("{}ms", 20_000 + u32::from(number));
        vec![
            ("endpoints", server.address().to_string().into()),
            ("prefix", format!("test{number}").into()),
            ("time", time.into()),
        ]
    },
};

/// Accounts of NATS, more than there are tests.
const ACCOUNTS: usize = 1_000;

/// Each test has an account of its own, in which all names are free.
pub(crate) static NATS: Backend = Backend {
    server: LazyLock::new(|| Server::start(nats())),
    fresh: account,
};

/// A server whose streams lose nothing: where there is an older one, what needs them is not tested.
pub(crate) static STREAMS: Backend = Backend {
    server: LazyLock::new(|| {
        Nats::check_streams()?;
        Server::start(nats())
    }),
    fresh: account,
};

fn nats() -> Nats {
    Nats {
        accounts: ACCOUNTS,
        ..Nats::default()
    }
}

fn account(server: &Server, _: &str) -> Vec<(&'static str, Value)> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let number = NEXT.fetch_add(1, SeqCst);
    let url = format!("nats://a{number}:test@{}", server.address());
    vec![("url", url.into()), ("synced", Nats::syncs().into())]
}

/// Virtual hosts, one for each test.
const VHOSTS: u16 = 180;

pub(crate) static RABBITMQ: Backend = Backend {
    server: LazyLock::new(|| {
        Server::start(RabbitMq {
            vhosts: VHOSTS,
            ..RabbitMq::default()
        })
    }),
    fresh: |server, _| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        assert!(number < VHOSTS, "make `VHOSTS` more");
        let connection = format!("amqp://guest:guest@{}/t{number}", server.address());
        vec![
            ("connection", connection.into()),
            ("queue", format!("queue{number}").into()),
        ]
    },
};

pub(crate) static KAFKA: Backend = Backend {
    server: LazyLock::new(|| Server::start(Kafka::default())),
    fresh: |server, _| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        vec![
            ("brokers", server.address().to_string().into()),
            ("prefix", format!("test{number}.").into()),
            // The name keeps tests apart that would share connections.
            ("client", format!("test{number}").into()),
        ]
    },
};

/// Rooms with topics of their own, one for each test.
const ROOMS: u16 = 90;

pub(crate) static MQTT: Backend = Backend {
    server: LazyLock::new(|| {
        Server::start(Mosquitto {
            rooms: ROOMS,
            ..Mosquitto::default()
        })
    }),
    fresh: |server, _| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        let room = Mosquitto::room(server.site(), number).expect("make `ROOMS` more");
        // The name of the user keeps sessions apart.
        let url = format!("tcp://test{number}@{room}");
        vec![("url", url.into())]
    },
};

pub(crate) static MARIADB: Backend = Backend {
    server: LazyLock::new(|| Server::start(MariaDb::default())),
    fresh: |server, _| {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let number = NEXT.fetch_add(1, SeqCst);
        let port = server.address().port();
        // The time keeps tests apart that would share connections, each in a runtime of its own.
        let time = format!("readTimeout={}ms", 20_000 + u32::from(number));
        let named = |schema| format!("wythe:secret@tcp(127.0.0.1:{port})/{schema}?{time}");
        vec![
            ("connection", named("").into()),
            ("url", named("mysql").into()),
            ("schema", format!("test{number}").into()),
        ]
    },
};

/// A cache has no rooms, so each test has a server of its own, beside the one that tells whether there can be any.
pub(crate) static MEMCACHED: Backend = Backend {
    server: LazyLock::new(|| Server::start(Memcached::default())),
    fresh: |_, _| {
        let server = Server::start(Memcached::default()).expect("one more server");
        let host = server.address().to_string();
        CACHES.lock().push(server);
        vec![("host", host.into())]
    },
};

static CACHES: Mutex<Vec<Server>> = Mutex::new(Vec::new());

/// Those that must be there where all servers must.
const ALL: &[&Backend] = &[
    &AWS,
    &AZURE_BLOBS,
    &AZURE_QUEUES,
    &ETCD,
    &KAFKA,
    &MARIADB,
    &MEMCACHED,
    &MQTT,
    &NATS,
    &POSTGRES,
    &RABBITMQ,
    &REDIS,
];

impl Backend {
    pub(crate) fn server(&self) -> Result<&Server, Missing> {
        self.server.as_ref().map_err(Clone::clone)
    }

    pub(crate) fn fresh(&self, kind: &str) -> Vec<(&'static str, Value)> {
        let server = self.server();
        server.map_or_else(|_| Vec::new(), |server| (self.fresh)(server, kind))
    }
}

impl Subject {
    /// A test in place of all those of a server that is missing, which is ignored.
    pub(crate) fn missing(&self) -> Option<Trial> {
        let missing = self.backend?.server().err()?;
        let name = format!("{}::{} ({missing})", self.parts().0, self.name());
        let trial = Trial::test(name, move || Err(Failed::from(missing)));
        Some(trial.with_ignored_flag(true))
    }
}

/// Starts all servers, side by side. Fails without one where all of them must be there, whatever the filter of the run.
pub(crate) fn check() -> Result<(), Missing> {
    thread::scope(|scope| {
        for backend in ALL {
            scope.spawn(|| backend.server());
        }
    });
    let missing = ALL.iter().copied().map(Backend::server);
    let mut missing = missing.filter_map(Result::err).filter(must_be_there);
    missing.next().map_or(Ok(()), |Missing(why)| {
        end();
        Err(Missing(format!("{why}, and WYTHE_SERVERS=required")))
    })
}

/// Ends every server that was started.
pub(crate) fn end() {
    for server in CACHES.lock().drain(..) {
        server.end();
    }
    for backend in ALL {
        if let Some(Ok(server)) = LazyLock::get(&backend.server) {
            server.end();
        }
    }
}
