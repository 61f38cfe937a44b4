//! The native drivers under test: one entry each, by type.

use crate::{
    backends::{self, AWS, Backend, POSTGRES},
    open::component,
};
use libtest_mimic::Trial;
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
    /// True of a state store over which actors and workflows are proved, too.
    pub hosting: bool,
    /// The server that it speaks to.
    pub backend: Option<&'static Backend>,
}

static SUBJECTS: [Subject; 45] = [
    subject("bindings.aws.s3", BUCKET).on(&AWS),
    subject("bindings.aws.sns", TOPIC).on(&AWS),
    subject("bindings.aws.sqs", QUEUE).on(&AWS),
    subject("bindings.localstorage", "rootPath: storage").durable(),
    subject("bindings.memory", ""),
    subject("bindings.postgresql", "connectionString: {connection}").on(&POSTGRES),
    subject("bindings.redis", REDIS).on(&backends::REDIS),
    subject("configuration.local.file", "path: settings.json"),
    subject("configuration.memory", ""),
    subject(
        "configuration.postgresql",
        "connectionString: {connection}; table: {prefix}",
    )
    .on(&POSTGRES),
    subject("configuration.redb", ""),
    subject("configuration.redis", REDIS).on(&backends::REDIS),
    subject("crypto.dapr.jwks", "jwks: {jwks}"),
    subject("crypto.dapr.localstorage", "path: jwks"),
    subject("crypto.local.keys", "path: keys"),
    subject("crypto.local.keys", "path: jwks").variant("_of_jwks"),
    subject("crypto.memory", "jwks: {jwks}"),
    subject("jobs.memory", ""),
    subject("jobs.postgresql", PREFIXED).on(&POSTGRES),
    subject("jobs.redb", ""),
    subject("lock.memory", ""),
    subject("lock.postgresql", PREFIXED).on(&POSTGRES),
    subject("lock.redb", ""),
    subject("lock.redis", REDIS).on(&backends::REDIS),
    subject("pubsub.aws.snssqs", AMAZON).on(&AWS),
    subject("pubsub.memory", "maxBacklog: {backlog}"),
    subject("pubsub.postgresql", QUEUED).on(&POSTGRES),
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
    subject("state.aws.dynamodb", TABLE).on(&AWS),
    subject("state.memory", "").hosting(),
    subject("state.postgresql", PREFIXED)
        .hosting()
        .on(&POSTGRES),
    subject("state.redb", "").hosting(),
    subject("state.redis", REDIS).on(&backends::REDIS).hosting(),
    subject("state.sled", ""),
];
const AMAZON: &str = "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test";
const PARAMETERS: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; prefix: /suite/";
const MULTIPLE: &str = "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; multipleKeyValuesPerSecret: true";
const TOPIC: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; topicArn: {topic}";
const QUEUE: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; queueName: {queue}";
const TABLE: &str = "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; table: table; ttlAttributeName: end";
const BUCKET: &str =
    "endpoint: {endpoint}; region: {region}; accessKey: test; secretKey: test; bucket: {bucket}";
const PREFIXED: &str = "connectionString: {connection}; tablePrefix: {prefix}";
const QUEUED: &str = "connectionString: {connection}; tablePrefix: {prefix}; maxBacklog: {backlog}";
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
        hosting: false,
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
        Subject {
            hosting: true,
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

    /// The block and the driver of the type.
    pub(crate) fn parts(&self) -> (&'static str, &'static str) {
        let parts = self.kind.split_once('.');
        parts.expect("a type has a block and a driver")
    }

    /// Returns whether its backlog has the bound that the suite gives it.
    pub(crate) fn is_bounded(&self) -> bool {
        self.metadata.contains("{backlog}")
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

/// A test in place of all those of each subject whose server this machine does not have.
pub(crate) fn missing() -> Vec<Trial> {
    SUBJECTS.iter().filter_map(Subject::missing).collect()
}

/// The first subject of a type.
pub(crate) fn find(kind: &str) -> &'static Subject {
    let found = SUBJECTS.iter().find(|one| one.kind == kind);
    found.unwrap_or_else(|| panic!("`{kind}` is not in the list of drivers"))
}
