//! `kind: Component`: a named, configured instance of a driver.

use std::time::Duration;

use crate::metadata::{self, Metadata};
use crate::name::{ComponentName, Name, shown};
use crate::problem::{Problem, Source};
use crate::quantity;
use crate::reader::{At, Fields};
use crate::yaml::Position;

/// The path of keys of the settings.
pub(crate) const ITEMS: &str = "spec.metadata";

const SPEC: [&str; 6] = [
    "type",
    "version",
    "ignoreErrors",
    "initTimeout",
    "metadata",
    "requires",
];

const INIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A named, configured instance of a driver.
#[derive(Clone, Debug)]
pub struct Component {
    /// The name that apps call it by.
    pub name: ComponentName,
    /// The tenant it belongs to; none is every tenant that loads the file.
    pub namespace: Option<Name>,
    /// The block it serves: `state` of `state.in-memory`.
    pub block: String,
    /// The driver that serves it: `in-memory` of `state.in-memory`.
    pub driver: String,
    /// The version of the driver; default `v1`.
    pub version: String,
    /// True if a failure to open it is only logged; default false.
    pub ignore_errors: bool,
    /// The time that opening it may take; default 5 s.
    pub init_timeout: Duration,
    /// The settings that the driver is configured with.
    pub metadata: Metadata,
    /// The apps that may use it; empty is all.
    pub scopes: Vec<Name>,
    /// The features it must have, such as `ttl`, checked when it is opened.
    pub requires: Vec<String>,
    /// The place where it was written.
    pub source: Source,
}

impl Component {
    /// The type: the block, a dot, and the technology.
    pub fn kind(&self) -> String {
        format!("{}.{}", self.block, self.driver)
    }

    /// The place where a setting was written; the component's own place where it was not.
    pub fn position_of(&self, setting: &str) -> Source {
        match self.metadata.position_of(setting) {
            Some(Position { line, column }) => Source {
                line,
                column,
                ..self.source.clone()
            },
            None => self.source.clone(),
        }
    }

    /// A mistake in a setting, at its place.
    pub fn problem(&self, setting: &str, message: impl Into<String>) -> Problem {
        self.position_of(setting)
            .problem(metadata::key_of(setting), message)
    }
}

/// The keys `metadata`, `spec` and `scopes` of a resource are read the same way in every kind.
pub(crate) struct Head {
    pub(crate) name: Option<ComponentName>,
    pub(crate) namespace: Option<Name>,
    pub(crate) scopes: Vec<Name>,
}

/// Reads the keys of a resource that do not depend on its kind.
pub(crate) fn read_head(document: &Fields) -> Head {
    let metadata = document.demand("metadata", "it holds the resource's `name`", |at| {
        at.fields(&["name", "namespace", "labels", "annotations"])
    });
    let metadata = metadata.as_ref();
    Head {
        name: metadata
            .and_then(|keys| keys.demand("name", "what apps call the resource", At::parse)),
        namespace: metadata.and_then(|keys| keys.read("namespace", At::parse)),
        scopes: document.list("scopes"),
    }
}

/// Reads one document of `kind: Component`.
pub(crate) fn read(document: &At) -> Option<Component> {
    let fields = document.fields(&["apiVersion", "kind", "metadata", "spec", "auth", "scopes"])?;
    let Head {
        name,
        namespace,
        scopes,
    } = read_head(&fields);
    let store = fields.read("auth", |at| {
        at.fields(&["secretStore"])?.string("secretStore")
    });
    let spec = fields.demand("spec", "it holds the component's `type`", |at| {
        at.fields(&SPEC)
    })?;
    let kind = spec.demand(
        "type",
        "the block and its driver, such as `state.in-memory`",
        read_type,
    );
    let init_timeout = spec.read("initTimeout", At::quantity::<quantity::Duration>);
    let component = Component {
        namespace,
        version: spec.string("version").unwrap_or_else(|| "v1".to_owned()),
        ignore_errors: spec.read("ignoreErrors", At::boolean).unwrap_or(false),
        init_timeout: init_timeout.map_or(INIT_TIMEOUT, Duration::from),
        metadata: spec
            .read("metadata", |at| Some(metadata::read(at, store.as_deref())))
            .unwrap_or_default(),
        scopes,
        requires: spec
            .get("requires")
            .map(|at| at.strings())
            .unwrap_or_default(),
        source: document.source(),
        name: name?,
        block: kind.as_ref()?.0.clone(),
        driver: kind?.1,
    };
    Some(component)
}

fn read_type(at: &At) -> Option<(String, String)> {
    let text = at.text()?;
    match text.split_once('.') {
        Some((block, driver)) if !block.is_empty() && !driver.is_empty() => {
            Some((block.to_owned(), driver.to_owned()))
        }
        _ => {
            at.error(&format!(
                "expected a block and a driver such as `state.in-memory`, found `{}`",
                shown(text)
            ));
            None
        }
    }
}
