//! The check of a component's imports: everything it asks for is looked up before any of it runs, and all that is
//! unknown or not granted is told at once, with the line to add.

use crate::inspect::{self, Import, Standing};
use wythe_blocks::Error;
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
            nearest(name)
        ))),
        Standing::Grant { key, example } if !has(grants, key) => Some(Error::denied(format!(
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

/// An empty list is no grant; but `http: []` lets the import link, and each request is then denied by name.
fn has(grants: &Grants, key: &str) -> bool {
    match key {
        "actors" => !grants.actors.is_empty(),
        "state" => !grants.state.is_empty(),
        "publish" => !grants.publish.is_empty(),
        "invoke" => !grants.invoke.is_empty(),
        // Other apps of the host are reached by HTTP too.
        "http" => grants.http.is_some() || !grants.invoke.is_empty(),
        "secrets" => !grants.secrets.is_empty(),
        "reveal" => !grants.reveal.is_empty(),
        "configuration" => !grants.configuration.is_empty(),
        "lock" => !grants.lock.is_empty(),
        "crypto" => !grants.crypto.is_empty(),
        "bindings" => !grants.bindings.is_empty(),
        "jobs" => !grants.jobs.is_empty(),
        "workflow" => !grants.workflow.is_empty(),
        _ => false,
    }
}

/// Every export of a version before a release, which nothing of this host calls.
pub fn refused_exports(app: &str, exports: &[String]) -> Vec<Error> {
    let candidates = exports.iter().filter(|name| inspect::is_candidate(name));
    let reported = |name: &String| {
        Error::unsupported(format!(
            "app `{app}` exports `{name}`, which this host does not call{}",
            nearest(name)
        ))
    };
    candidates.map(reported).collect()
}

fn nearest(name: &str) -> String {
    let without_version = name.split('@').next().unwrap_or_default();
    let same = inspect::OFFERED
        .iter()
        .find(|offered| offered.0 == without_version);
    match same {
        Some((interface, version)) => format!("; it has `{interface}` in version {version}"),
        None => "; `wythe wit` writes out what it has".into(),
    }
}
