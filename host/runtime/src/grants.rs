//! The check of a component's imports: everything it asks for is looked up before any of it runs, and all that is
//! unknown or not granted is told at once, with the line to add.

use crate::inspect::{Import, Standing};
use wythe_blocks::{
    Error,
    interfaces::{Interface, is_candidate},
};
use wythe_manifest::Grants;

/// Every import that the manifest does not grant, or that this host does not have.
pub fn refused(app: &str, imports: &[Import], grants: &Grants) -> Vec<Error> {
    imports
        .iter()
        .filter_map(|import| refuse(app, import, grants))
        .collect()
}

pub fn refuse(app: &str, import: &Import, grants: &Grants) -> Option<Error> {
    let name = &import.name;
    match import.standing {
        Standing::Free => None,
        Standing::Unknown => Some(Error::unsupported(format!(
            "app `{app}` imports `{name}`, which this host does not have{}",
            nearest(name, true)
        ))),
        Standing::Grant { key, example } if !grants.has(key) => Some(Error::denied(format!(
            "app `{app}` imports `{name}`, which is not granted; add `grants: {{ {key}: [{example}] }}` at {}",
            grants.source
        ))),
        Standing::Grant { .. } => None,
        Standing::NotReplayed => Some(Error::denied(format!(
            "app `{app}` has workflows and imports `{name}`, which would not be the same when their code runs again; do \
             that in an activity of another app, and call it by `ctx.call`"
        ))),
        Standing::OnlyWorkflows => Some(Error::denied(format!(
            "app `{app}` imports `{name}`, which is for components that export wythe:blocks/workflow-handler"
        ))),
    }
}

/// Every export of a version before a release, which nothing of this host calls.
pub fn refused_exports(app: &str, exports: &[String]) -> Vec<Error> {
    let candidates = exports.iter().filter(|name| is_candidate(name));
    let reported = |name: &String| {
        Error::unsupported(format!(
            "app `{app}` exports `{name}`, which this host does not call{}",
            nearest(name, false)
        ))
    };
    candidates.map(reported).collect()
}

fn nearest(name: &str, is_import: bool) -> String {
    let interface = name.split('@').next().unwrap_or_default();
    match Interface::versions(interface, is_import) {
        Some(versions) => format!("; it has `{interface}` in version {versions}"),
        None => "; `wythe wit` writes out what it has".into(),
    }
}
