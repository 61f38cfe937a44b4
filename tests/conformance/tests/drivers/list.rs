//! The native drivers under test: one entry each, by type.

use crate::{
    backends::{self, Backend, MARIADB, POSTGRES},
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
    /// True of a state store over which actors and workflows are proved, too.
    pub hosting: bool,
    /// True of a driver within the host that counts nothing in quotas.
    uncounted: bool,
    /// The server that it speaks to.
    pub backend: Option<&'static Backend>,
}

static SUBJECTS: [Subject; 39] = [
    subject("bindings.localstorage", "rootPath: storage").durable(),
    subject("bindings.memory", ""),
    subject("bindings.mysql", "url: {url}").on(&MARIADB),
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
    subject("configuration.sqlite", "connectionString: items.db"),
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
    subject("pubsub.memory", "maxBacklog: {backlog}"),
    subject("pubsub.postgresql", QUEUED).on(&POSTGRES),
    subject("pubsub.redb", "maxBacklog: {backlog}"),
    subject(
        "pubsub.redis",
        "redisHost: {host}; redisDB: {database}; maxBacklog: {backlog}",
    )
    .on(&backends::REDIS),
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
        hosting: false,
        uncounted: false,
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

    const fn hosting(self) -> Self {
        Subject {
            hosting: true,
            ..self
        }
    }

    const fn uncounted(self) -> Self {
        Subject {
            uncounted: true,
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

    /// The block and the driver of the type.
    pub(crate) fn parts(&self) -> (&'static str, &'static str) {
        let parts = self.kind.split_once('.');
        parts.expect("a type has a block and a driver")
    }

    /// The driver's part in the names of its tests.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.parts().1, self.variant)
    }

    /// The component of the driver; each placeholder of its metadata becomes the value of that name, as JSON.
    pub(crate) fn component(&self, values: &[(&str, serde_json::Value)]) -> Component {
        let own = self.backend.map(Backend::fresh).unwrap_or_default();
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
