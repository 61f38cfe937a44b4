//! The imports and exports of a component file, read without running or compiling any of it.

mod outline;

pub use outline::{FORMAT, Outline};

use outline::Asked;
use wythe_blocks::Exports;

/// The host's stance on an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Every guest may.
    Free,
    /// A guest may only with this key in the manifest's `grants`.
    Grant {
        key: &'static str,
        example: &'static str,
    },
    /// A workflow may not: it would not be told the same when its code runs again.
    NotReplayed,
    /// A component of workflows may, and no other.
    OnlyWorkflows,
    /// This host has no such interface.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct Import {
    pub name: String,
    pub standing: Standing,
}

impl Import {
    /// The reason why an app with these grants may not have it; absent if it may.
    pub fn refusal(
        &self,
        app: &str,
        grants: &wythe_manifest::Grants,
    ) -> Option<wythe_blocks::Error> {
        crate::grants::refuse(app, self, grants)
    }
}

/// Everything a person wants to know before running a stranger's file.
#[derive(Clone, Debug)]
pub struct Inspection {
    pub imports: Vec<Import>,
    pub exports: Vec<String>,
    /// The exports that this host knows in an app.
    pub app: Exports,
    /// The driver interfaces that it exports beside `lifecycle`, such as `state-driver`.
    pub plugin: Vec<&'static str>,
}

/// The drivers that a plugin may export, each with the type of the component that names its file.
pub const DRIVERS: [(&str, &str); 9] = [
    ("configuration-driver", "configuration.wasm"),
    ("crypto-driver", "crypto.wasm"),
    ("input-binding-driver", "bindings.wasm"),
    ("jobs-driver", "jobs.wasm"),
    ("lock-driver", "lock.wasm"),
    ("output-binding-driver", "bindings.wasm"),
    ("pubsub-driver", "pubsub.wasm"),
    ("secrets-driver", "secretstores.wasm"),
    ("state-driver", "state.wasm"),
];

/// The export of a component of workflows.
pub const WORKFLOWS: &str = "wythe:blocks/workflow-handler@0.1.";

/// Interfaces and versions, as an import of another version is told.
pub const OFFERED: &[(&str, &str)] = &[
    ("wasi:cli/environment", "0.2.12 and 0.3.0"),
    ("wasi:clocks/monotonic-clock", "0.2.12 and 0.3.0"),
    ("wasi:filesystem/types", "0.2.12 and 0.3.0"),
    ("wasi:http/client", "0.3.0"),
    ("wasi:http/handler", "0.3.0"),
    ("wasi:http/types", "0.2.12 and 0.3.0"),
    ("wasi:http/outgoing-handler", "0.2.12"),
    ("wasi:io/streams", "0.2.12"),
    ("wasi:random/random", "0.2.12 and 0.3.0"),
    ("wythe:blocks/actor-context", "0.1.0"),
    ("wythe:blocks/actors", "0.1.0"),
    ("wythe:blocks/bindings", "0.1.0"),
    ("wythe:blocks/configuration", "0.1.0"),
    ("wythe:blocks/crypto", "0.1.0"),
    ("wythe:blocks/invocation", "0.1.0"),
    ("wythe:blocks/jobs", "0.1.0"),
    ("wythe:blocks/lock", "0.1.0"),
    ("wythe:blocks/logging", "0.1.0"),
    ("wythe:blocks/pubsub", "0.1.0"),
    ("wythe:blocks/reveal", "0.1.0"),
    ("wythe:blocks/sealed-bindings", "0.1.0"),
    ("wythe:blocks/secrets", "0.1.0"),
    ("wythe:blocks/state", "0.1.0"),
    ("wythe:blocks/types", "0.1.0"),
    ("wythe:blocks/workflow", "0.1.0"),
    ("wythe:blocks/workflow-context", "0.1.0"),
];

impl From<Outline> for Inspection {
    fn from(outline: Outline) -> Self {
        let exports = outline.exports;
        let released = exports.iter().filter(|name| !is_candidate(name));
        let released: Vec<_> = released.collect();
        let has = |prefix: &str| released.iter().any(|name| name.starts_with(prefix));
        let lifecycle = has("wythe:plugin/lifecycle@0.1.");
        let drivers = DRIVERS.iter().map(|(name, _)| *name);
        let drivers = drivers.filter(|name| has(&format!("wythe:plugin/{name}@0.1.")));
        Inspection {
            imports: imports(outline.imports, has(WORKFLOWS)),
            app: Exports {
                http: has("wasi:http/incoming-handler@0.2.") || has("wasi:http/handler@0.3."),
                invocation: has("wythe:blocks/invocation-handler@0.1."),
                subscriber: has("wythe:blocks/subscriber@0.1."),
                configuration_listener: has("wythe:blocks/configuration-listener@0.1."),
                binding_listener: has("wythe:blocks/binding-listener@0.1."),
                job_runner: has("wythe:blocks/job-runner@0.1."),
                actor_handler: has("wythe:blocks/actor-handler@0.1."),
                workflow_handler: has(WORKFLOWS),
                activity_handler: has("wythe:blocks/activity-handler@0.1."),
            },
            plugin: drivers.filter(|_| lifecycle).collect(),
            exports,
        }
    }
}

/// Every import with its standing. An interface of which only types are used needs no grant.
fn imports(asked: Vec<Asked>, has_workflows: bool) -> Vec<Import> {
    let standing = |asked: &Asked| match has_workflows {
        _ if is_candidate(&asked.name) => Standing::Unknown,
        true => of_workflow(&asked.name),
        false if asked.calls => of_name(&asked.name),
        false => Standing::Free,
    };
    let import = |asked: Asked| Import {
        standing: standing(&asked),
        name: asked.name,
    };
    asked.into_iter().map(import).collect()
}

/// The standing of an import of a component of workflows.
fn of_workflow(name: &str) -> Standing {
    let is_of = |packages: &[&str]| packages.iter().any(|package| name.starts_with(package));
    let is_newer = name.contains("@0.3.");
    match of_name(name) {
        Standing::Unknown => Standing::Unknown,
        Standing::OnlyWorkflows => Standing::Free,
        _ if !is_newer && is_of(&["wasi:cli/", "wasi:clocks/", "wasi:io/", "wasi:random/"]) => {
            Standing::Free
        }
        _ if is_of(&["wythe:blocks/types@", "wythe:blocks/logging@"]) => Standing::Free,
        _ => Standing::NotReplayed,
    }
}

/// Says whether an interface is of a version before a release, such as `0.3.0-rc-2026-03-15`: none is what was released
/// later.
pub fn is_candidate(name: &str) -> bool {
    name.split_once('@')
        .is_some_and(|(_, version)| version.contains('-'))
}

fn of_name(name: &str) -> Standing {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let track = |tracks: &[&str]| tracks.iter().any(|track| version.starts_with(track));
    let blocks = track(&["0.1."]);
    let grant = |key, example| Standing::Grant { key, example };
    match interface {
        "wythe:blocks/state" if blocks => grant("state", "statestore"),
        "wythe:blocks/pubsub" if blocks => grant("publish", "pubsub"),
        "wythe:blocks/invocation" if blocks => grant("invoke", "\"*\""),
        "wythe:blocks/actors" if blocks => grant("actors", "\"*\""),
        // It is there only inside a turn, which the app's own export has.
        "wythe:blocks/actor-context" if blocks => Standing::Free,
        "wythe:blocks/bindings" | "wythe:blocks/sealed-bindings" if blocks => {
            grant("bindings", "COMPONENT")
        }
        "wythe:blocks/configuration" if blocks => grant("configuration", "configuration"),
        "wythe:blocks/crypto" if blocks => grant("crypto", "COMPONENT/KEY"),
        "wythe:blocks/jobs" if blocks => grant("jobs", "\"*\""),
        "wythe:blocks/lock" if blocks => grant("lock", "lockstore"),
        "wythe:blocks/reveal" if blocks => grant("reveal", "STORE/SECRET"),
        "wythe:blocks/secrets" if blocks => grant("secrets", "STORE/SECRET"),
        "wythe:blocks/workflow" if blocks => grant("workflow", "NAME"),
        "wythe:blocks/workflow-context" if blocks => Standing::OnlyWorkflows,
        "wythe:blocks/types" | "wythe:blocks/logging" if blocks => Standing::Free,
        "wasi:http/outgoing-handler" if track(&["0.2."]) => grant("http", "\"api.example.com\""),
        "wasi:http/client" if track(&["0.3."]) => grant("http", "\"api.example.com\""),
        "wasi:http/types" if track(&["0.2.", "0.3."]) => Standing::Free,
        "wasi:http/handler" if track(&["0.3."]) => Standing::Unknown,
        _ if [
            "wasi:cli/",
            "wasi:clocks/",
            "wasi:filesystem/",
            "wasi:io/",
            "wasi:random/",
            "wasi:sockets/",
        ]
        .iter()
        .any(|package| interface.starts_with(package))
            && track(&["0.2.", "0.3."]) =>
        {
            Standing::Free
        }
        _ => Standing::Unknown,
    }
}
