//! `components.deny`: types of components that may not be there.

use crate::name::shown;
use crate::problem::Source;
use crate::reader::{At, Fields};
use crate::suggest::{did_you_mean, listed};

/// The first words of types: those of components here, and of others that Dapr has.
const BLOCKS: [&str; 11] = [
    "bindings",
    "configuration",
    "conversation",
    "crypto",
    "jobs",
    "lock",
    "middleware",
    "nameresolution",
    "pubsub",
    "secretstores",
    "state",
];

/// A type of components that may not be there.
#[derive(Clone, Debug)]
pub struct DeniedType {
    /// The type, in lower case.
    kind: String,
    /// The version; none is every one.
    version: Option<String>,
    /// The place where it was written.
    pub source: Source,
}

impl DeniedType {
    /// Returns whether a component of this type and version is denied; as in Dapr, case does not count.
    pub fn denies(&self, kind: &str, version: &str) -> bool {
        let of_version = |one: &String| one.eq_ignore_ascii_case(version);
        self.kind.eq_ignore_ascii_case(kind) && self.version.as_ref().is_none_or(of_version)
    }
}

/// Reads the key of a `spec`.
pub(super) fn read(spec: &Fields) -> Vec<DeniedType> {
    let components = spec.read("components", |at| at.fields(&["deny"]));
    let Some(deny) = components.and_then(|components| components.get("deny")) else {
        return Vec::new();
    };
    deny.items().iter().filter_map(read_type).collect()
}

/// A type that is misspelt would forbid nothing.
fn read_type(at: &At) -> Option<DeniedType> {
    let text = at.filled()?.to_ascii_lowercase();
    let (kind, version) = match text.split_once('/') {
        Some((kind, version)) => (kind, Some(version)),
        None => (text.as_str(), None),
    };
    let (block, driver) = kind.split_once('.').unwrap_or((kind, ""));
    if !BLOCKS.contains(&block) || driver.is_empty() || version == Some("") {
        let message = format!(
            "expected a type such as `state.in-memory` or `bindings.http/v1`, which begins with one of {}, found `{}`",
            listed(BLOCKS),
            shown(&text)
        );
        at.error_with_help(
            &message,
            did_you_mean(block, BLOCKS).filter(|_| !BLOCKS.contains(&block)),
        );
        return None;
    }
    Some(DeniedType {
        kind: kind.to_owned(),
        version: version.map(str::to_owned),
        source: at.source(),
    })
}
