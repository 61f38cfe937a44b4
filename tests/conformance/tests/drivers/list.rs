//! The native drivers under test: one entry each, by type.

use crate::{
    backends::{
        self, AWS, AZURE_BLOBS, AZURE_QUEUES, Backend, ETCD, MARIADB, MEMCACHED, MQTT, POSTGRES,
        RABBITMQ,
    },
    open::component,
};
use libtest_mimic::{Failed, Trial};
use servers::{Missing, Nats};
use wythe_manifest::Component;

/// A driver under test.
pub(crate) struct Subject {
    /// The type, as a component names it.
    kind: &'static str,
    /// Metadata as it stands in a file; `{..}` is filled in by the suite of the block.
    metadata: &'static str,
    variant: &'static str,
    /// True of a binding that keeps what it was given over a restart.
    pub durable: bool,
    /// True of a secret store that keeps empty texts.
    pub empty: bool,
    /// The check of a state store over which actors and workflows are proved, too: why this machine's server cannot have them.
    hosting: Option<fn() -> Result<(), Missing>>,
    /// True of a driver within the host that counts nothing in quotas.
    uncounted: bool,
    /// The reason why pub/sub is not held to a backlog that is counted to the message.
    no_backlog: Option<&'static str>,
    /// The reason why a message of pub/sub comes without what it has beside its data.
    pub no_headers: Option<&'static str>,
    /// The server that it speaks to.
    pub backend: Option<&'static Backend>,
}

static SUBJECTS: &[Subject] = &[
    subject("bindings.aws.s3", BUCKET).on(&AWS),
    subject("bindings.aws.sns", TOPIC).on(&AWS),
    subject("bindings.aws.sqs", QUEUE).on(&AWS),
    subject("bindings.azure.blobstorage", BLOBS)
        .durable()
        .on(&AZURE_BLOBS),
    subject(
        "bindings.azure.storagequeues",
        "endpoint: {endpoint}; accountName: {account}; accountKey: {key}; queueName: {place}",
    )
    .on(&AZURE_QUEUES),
    subject(
        "bindings.kafka",
        "brokers: {brokers}; namePrefix: {prefix}; clientID: {client}; topics: a; publishTopic: a",
    )
    .on(&backends::KAFKA),
    subject("bindings.localstorage", "rootPath: storage").durable(),
    subject("bindings.memory", ""),
    subject("bindings.mqtt3", "url: {url}; topic: a/b").on(&MQTT),
    subject("bindings.mysql", "url: {url}").on(&MARIADB),
    subject("bindings.postgresql", "connectionString: {connection}").on(&POSTGRES),
    subject(
        "bindings.rabbitmq",
        "host: {connection}; queueName: {queue}; durable: true",
    )
    .on(&RABBITMQ),
    subject("bindings.redis", REDIS).on(&backends::REDIS),
    subject("configuration.etcd", ROWS).on(&ETCD),
    subject("configuration.jetstream", KV).on(&backends::NATS),
    subject(
        "configuration.kubernetes",
        "kubeconfigPath: kubeconfig; configMapName: items; namespace: suite",
    ),
    subject("configuration.local.file", "path: settings.json"),
    subject("configuration.memory", ""),
    subject(
        "configuration.postgresql",
        "connectionString: {connection}; table: {prefix}",
    )
    .on(&POSTGRES),
    subject("configuration.redb", ""),
    subject("configuration.redis", REDIS).on(&backends::REDIS),
    subject("configuration.sqlite", "connectionString: items.db"),
    subject("crypto.dapr.jwks", "jwks: {jwks}"),
    subject("crypto.dapr.localstorage", "path: jwks"),
    subject("crypto.local.keys", "path: keys"),
    subject("crypto.local.keys", "path: jwks").variant("_of_jwks"),
    subject("crypto.memory", "jwks: {jwks}"),
    subject("jobs.memory", ""),
    subject("jobs.postgresql", PREFIXED).on(&POSTGRES),
    subject("jobs.redb", ""),
    subject("lock.etcd", LOCKS).on(&ETCD),
    subject("lock.jetstream", KV).on(&backends::NATS),
    subject("lock.memory", ""),
    subject("lock.postgresql", PREFIXED).on(&POSTGRES),
    subject("lock.redb", ""),
    subject("lock.redis", REDIS).on(&backends::REDIS),
    subject(
        "pubsub.jetstream",
        "natsURL: {url}; syncAlways: {synced}; maxBacklog: {backlog}",
    )
    .on(&backends::STREAMS),
    subject("pubsub.aws.snssqs", AMAZON).on(&AWS),
    subject(
        "pubsub.kafka",
        "brokers: {brokers}; namePrefix: {prefix}; clientID: {client}",
    )
    .on(&backends::KAFKA),
    subject("pubsub.memory", "maxBacklog: {backlog}"),
    subject("pubsub.mqtt3", "url: {url}")
        .on(&MQTT)
        .without_backlog("the server bounds what waits, and drops the rest")
        .without_headers("the protocol carries data and nothing beside it"),
    subject("pubsub.postgresql", QUEUED).on(&POSTGRES),
    subject("pubsub.rabbitmq", QUEUES)
        .on(&RABBITMQ)
        .without_backlog(COUNTED),
    subject(
        "pubsub.rabbitmq",
        "connectionString: {connection}; maxBacklog: {backlog}; queueType: classic",
    )
    .on(&RABBITMQ)
    .without_backlog(COUNTED)
    .variant("_of_classic_queues"),
    subject("pubsub.redb", "maxBacklog: {backlog}"),
    subject(
        "pubsub.redis",
        "redisHost: {host}; redisDB: {database}; maxBacklog: {backlog}",
    )
    .on(&backends::REDIS),
    subject("secretstores.aws.parameterstore", PARAMETERS)
        .full()
        .on(&AWS),
    subject("secretstores.aws.secretmanager", AMAZON)
        .full()
        .on(&AWS),
    subject("secretstores.aws.secretsmanager", AMAZON)
        .full()
        .on(&AWS),
    subject("secretstores.aws.secretsmanager", MULTIPLE)
        .variant(SEVERAL)
        .full()
        .on(&AWS),
    subject(
        "secretstores.kubernetes",
        "kubeconfigPath: kubeconfig; defaultNamespace: suite",
    ),
    subject(
        "secretstores.hashicorp.vault",
        "vaultAddr: {vault}; vaultToken: {token}",
    ),
    subject("secretstores.local.env", "prefix: KEPT_"),
    subject("secretstores.local.file", "secretsFile: secrets.json"),
    subject(
        "secretstores.local.file",
        "secretsFile: secrets.json; multiValued: true",
    )
    .variant(SEVERAL),
    subject("secretstores.memory", "secrets: {secrets}"),
    subject(
        "secretstores.memory",
        "secrets: {secrets}; multiValued: true",
    )
    .variant(SEVERAL),
    subject("state.etcd", ROWS).on(&ETCD).hosting(),
    subject("state.jetstream", KV)
        .on(&backends::NATS)
        .hosting_where(Nats::check_batches),
    subject("state.aws.dynamodb", TABLE).on(&AWS),
    subject("state.azure.blobstorage", BLOBS).on(&AZURE_BLOBS),
    subject("state.memcached", "hosts: {host}; timeout: 30s").on(&MEMCACHED),
    subject("state.memory", "").hosting(),
    subject(
        "state.mysql",
        "connectionString: {connection}; schemaName: {schema}",
    )
    .hosting()
    .on(&MARIADB),
    subject("state.postgresql", PREFIXED)
        .hosting()
        .on(&POSTGRES),
    subject("state.redb", "").hosting(),
    subject("state.redis", REDIS).on(&backends::REDIS).hosting(),
    subject("state.sled", ""),
    subject("state.sqlite", "connectionString: state.db")
        .hosting()
        .uncounted(),
];
/// An account of NATS of its own.
const KV: &str = "natsURL: {url}; syncAlways: {synced}; bucket: rows";
const AMAZON: &str = "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test";
const PARAMETERS: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; prefix: /suite/";
const MULTIPLE: &str = "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; multipleKeyValuesPerSecret: true";
const BLOBS: &str =
    "endpoint: {endpoint}; accountName: {account}; accountKey: {key}; containerName: {place}";
const TOPIC: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; topicArn: {topic}";
const QUEUE: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; queueName: {queue}";
const TABLE: &str = "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; table: table; ttlAttributeName: end";
const BUCKET: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; bucket: {bucket}";
/// A prefix of its own in a server whose bounds were raised.
const ROWS: &str = "endpoints: {endpoints}; keyPrefixPath: {prefix}; timeout: {time}; maxTxnOps: 1000; maxRequestBytes: 8388608";
const LOCKS: &str = "endpoints: {endpoints}; keyPrefixPath: {prefix}; timeout: {time}";
const COUNTED: &str = "the server bounds what waits, and counts otherwise";
const PREFIXED: &str = "connectionString: {connection}; tablePrefix: {prefix}";
const QUEUED: &str = "connectionString: {connection}; tablePrefix: {prefix}; maxBacklog: {backlog}";
/// A server and a virtual host of its own.
const QUEUES: &str = "connectionString: {connection}; maxBacklog: {backlog}";
/// A server and a database of its own.
const REDIS: &str = "redisHost: {host}; redisDB: {database}";
const SEVERAL: &str = "_of_several_values";

const fn subject(kind: &'static str, metadata: &'static str) -> Subject {
    Subject {
        kind,
        metadata,
        variant: "",
        durable: false,
        empty: true,
        hosting: None,
        uncounted: false,
        no_backlog: None,
        no_headers: None,
        backend: None,
    }
}

impl Subject {
    const fn durable(self) -> Self {
        Subject {
            durable: true,
            ..self
        }
    }

    const fn full(self) -> Self {
        Subject {
            empty: false,
            ..self
        }
    }

    const fn hosting(self) -> Self {
        self.hosting_where(|| Ok(()))
    }

    const fn hosting_where(self, check: fn() -> Result<(), Missing>) -> Self {
        Subject {
            hosting: Some(check),
            ..self
        }
    }

    const fn uncounted(self) -> Self {
        Subject {
            uncounted: true,
            ..self
        }
    }

    const fn without_backlog(self, reason: &'static str) -> Self {
        Subject {
            no_backlog: Some(reason),
            ..self
        }
    }

    const fn without_headers(self, reason: &'static str) -> Self {
        Subject {
            no_headers: Some(reason),
            ..self
        }
    }

    const fn on(self, backend: &'static Backend) -> Self {
        Subject {
            backend: Some(backend),
            ..self
        }
    }

    /// Tells the names of its tests from those of the same driver with other metadata.
    const fn variant(self, variant: &'static str) -> Self {
        Subject { variant, ..self }
    }

    /// Returns whether it counts what it stores in the quotas of its tenant.
    pub(crate) fn is_counted(&self) -> bool {
        self.backend.is_none() && !self.uncounted
    }

    /// Returns whether actors and workflows are proved over it here.
    pub(crate) fn hosts(&self) -> bool {
        self.hosting.is_some_and(|check| check().is_ok())
    }

    /// A test in place of those of actors and workflows, which is ignored, where the server is there and cannot have them.
    fn hosts_nothing(&self) -> Option<Trial> {
        let missing = self.hosting?().err()?;
        let name = format!("actors::{} ({missing})", self.name());
        let trial = Trial::test(name, move || Err(Failed::from(missing)));
        let is_there = self.missing().is_none();
        is_there.then(|| trial.with_ignored_flag(true))
    }

    /// The block and the driver of the type.
    pub(crate) fn parts(&self) -> (&'static str, &'static str) {
        let parts = self.kind.split_once('.');
        parts.expect("a type has a block and a driver")
    }

    /// The reason why its backlog cannot be held against the bound that the suite gives it.
    pub(crate) fn misses_bound(&self) -> Option<&'static str> {
        let is_endless = !self.metadata.contains("{backlog}");
        let endless = is_endless.then_some("the driver keeps as much as it is given");
        self.no_backlog.or(endless)
    }

    /// The driver's part in the names of its tests.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.parts().1, self.variant)
    }

    /// The component of the driver; each placeholder of its metadata becomes the value of that name, as JSON.
    pub(crate) fn component(&self, values: &[(&str, serde_json::Value)]) -> Component {
        let own = self.backend.map(|backend| backend.fresh(self.kind));
        let own = own.unwrap_or_default();
        let items = self.metadata.split("; ").filter_map(|item| {
            let (name, value) = item.split_once(": ")?;
            let filled = own
                .iter()
                .chain(values)
                .find(|(name, _)| value == format!("{{{name}}}"));
            let value = filled.map_or(value.to_owned(), |(_, filled)| filled.to_string());
            Some(format!("{{ name: {name}, value: {value} }}"))
        });
        let metadata = items.collect::<Vec<_>>().join(", ");
        let (block, driver) = self.parts();
        component(block, driver, &format!("[{metadata}]"))
    }
}

/// The subjects of a block whose servers this machine has, by the block's part of the type.
pub(crate) fn of(block: &str) -> impl Iterator<Item = &'static Subject> {
    let of_block = SUBJECTS.iter().filter(move |one| one.parts().0 == block);
    of_block.filter(|one| one.missing().is_none())
}

/// A test in place of all those of each subject whose server this machine does not have, or is too old for them.
pub(crate) fn missing() -> Vec<Trial> {
    let servers = SUBJECTS.iter().filter_map(Subject::missing);
    let hosts = SUBJECTS.iter().filter_map(Subject::hosts_nothing);
    servers.chain(hosts).collect()
}

/// The first subject of a type.
pub(crate) fn find(kind: &str) -> &'static Subject {
    let found = SUBJECTS.iter().find(|one| one.kind == kind);
    found.unwrap_or_else(|| panic!("`{kind}` is not in the list of drivers"))
}
