//! `kind: Configuration`: what apps may do. A key that would forbid something and is not enforced here is an error.

mod access;
mod api;
mod check;
mod denied_types;
mod metric;
mod operation;
mod pipeline;
mod unenforced;

pub use access::{AccessControl, CallerPolicy, ClientName, Decision, Subject};
pub use api::ApiLists;
pub(crate) use check::{Scopes, check};
pub use denied_types::DeniedType;
pub use operation::Operation;
pub use pipeline::Handler;

use crate::component::{Head, read_head};
use crate::name::{ComponentName, Name, shown};
use crate::problem::Source;
use crate::reader::{At, Fields};
use crate::tracing::{self, Tracing};

/// Apps in `scopes`.
const MAX_SCOPES: usize = 100;

const SPEC: [&str; 15] = [
    "secrets",
    "accessControl",
    "api",
    "components",
    "appHttpPipeline",
    "features",
    "httpPipeline",
    "logging",
    "metric",
    "metrics",
    "mtls",
    "nameResolution",
    "tracing",
    "wasm",
    "workflow",
];
/// Keys that forbid nothing.
const NOT_YET: [&str; 2] = ["features", "logging"];

/// Settings of a whole host.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The name of the resource itself.
    pub name: ComponentName,
    /// The tenant it belongs to; none is every tenant that loads the file.
    pub namespace: Option<Name>,
    /// The apps that are called, or that use a block, and to which `accessControl`, `api` and `appHttpPipeline` apply; empty
    /// is all.
    pub scopes: Vec<Name>,
    /// The places of `scopes`.
    pub positions: Vec<Source>,
    /// The secrets that apps may have.
    pub secrets: Vec<SecretScope>,
    /// The calls that apps may make of each other.
    pub access: Option<AccessControl>,
    /// The blocks that apps may use.
    pub api: Option<ApiLists>,
    /// The types of components that may not be there.
    pub denied_types: Vec<DeniedType>,
    /// The handlers of requests from outside, in the order in which they run.
    pub pipeline: Vec<Handler>,
    /// The handlers of what the apps are asked, in the order in which they run.
    pub app_pipeline: Vec<Handler>,
    /// The recording of traces.
    pub tracing: Option<Tracing>,
    /// True where metrics are shown by Dapr's names too, as by default.
    pub metric: bool,
    /// The place where it was written.
    pub source: Source,
}

/// The secrets of one store that apps may have; a store without a scope is open to every grant.
#[derive(Clone, Debug)]
pub struct SecretScope {
    /// The component.
    pub store: ComponentName,
    /// The access to secrets that neither list names; default allow.
    pub default_access: Access,
    /// The secrets that are allowed: where there are any, no other secret is.
    pub allowed: Vec<String>,
    /// The secrets that are denied, whatever else is written.
    pub denied: Vec<String>,
    /// The place where it was written.
    pub source: Source,
}

/// The access to a secret or an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may be had.
    Allow,
    /// It may not.
    Deny,
}

impl SecretScope {
    /// Returns whether a secret may be had.
    pub fn allows(&self, secret: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == secret);
        if names(&self.denied) {
            return false;
        }
        match self.allowed.is_empty() {
            true => self.default_access == Access::Allow,
            false => names(&self.allowed),
        }
    }
}

impl Configuration {
    /// Returns whether it is for an app of a tenant.
    pub fn is_for(&self, tenant: &Name, app: &Name) -> bool {
        tenant.has(self.namespace.as_ref()) && (self.scopes.is_empty() || self.scopes.contains(app))
    }
}

/// Reads one document of `kind: Configuration`.
pub(crate) fn read(document: &At) -> Option<Configuration> {
    let fields = document.fields(&["apiVersion", "kind", "metadata", "spec", "scopes"])?;
    let (head, positions) = (read_head(&fields), read_positions(&fields)?);
    let spec = fields.read("spec", |at| at.fields(&SPEC));
    if let Some(spec) = &spec {
        spec.warn_of(&NOT_YET, "not used yet");
        unenforced::refuse(spec);
        if !positions.is_empty() {
            refuse_scoped(spec);
        }
    }
    let Head {
        name,
        namespace,
        scopes,
    } = head;
    let spec = spec.as_ref();
    let read_pipeline = |key| {
        spec.map(|spec| pipeline::read(spec, key))
            .unwrap_or_default()
    };
    Some(Configuration {
        secrets: spec.map(read_secrets).unwrap_or_default(),
        access: spec.and_then(|spec| spec.read("accessControl", access::read)),
        api: spec.and_then(|spec| spec.read("api", api::read)),
        denied_types: spec.map(denied_types::read).unwrap_or_default(),
        pipeline: read_pipeline("httpPipeline"),
        app_pipeline: read_pipeline("appHttpPipeline"),
        tracing: spec.and_then(|spec| spec.read("tracing", tracing::read)),
        metric: spec.is_none_or(metric::read),
        namespace,
        scopes,
        positions,
        source: document.source(),
        name: name?,
    })
}

/// The places of `scopes`; none where there are too many.
fn read_positions(fields: &Fields) -> Option<Vec<Source>> {
    let written = fields.scalars("scopes");
    if let Some((at, _)) = written.get(MAX_SCOPES) {
        at.error(&format!("more than {MAX_SCOPES} apps; write none for all"));
        return None;
    }
    if fields.get("scopes").is_some() && written.is_empty() {
        fields
            .at
            .error("`scopes` names no app; leave it out where all are meant");
    }
    let names = written.iter();
    let names = names.filter(|(_, text)| text.parse::<Name>().is_ok());
    Some(names.map(|(at, _)| at.source()).collect())
}

/// Refuses keys about stores, components, requests from outside, traces and metrics, which are for all apps.
fn refuse_scoped(spec: &Fields) {
    let keys = [
        "secrets",
        "components",
        "httpPipeline",
        "tracing",
        "metric",
        "metrics",
    ];
    for (_, at) in spec.each_of(&keys) {
        at.error("is for all apps, and the document has `scopes`; move it to one without");
    }
}

fn read_secrets(spec: &Fields) -> Vec<SecretScope> {
    let secrets = spec.read("secrets", |at| at.fields(&["scopes"]));
    let scopes = secrets.and_then(|secrets| secrets.get("scopes"));
    let scopes = scopes.map(|at| at.items()).unwrap_or_default();
    scopes.iter().filter_map(read_scope).collect()
}

fn read_scope(at: &At) -> Option<SecretScope> {
    let fields = at.fields(&[
        "storeName",
        "defaultAccess",
        "allowedSecrets",
        "deniedSecrets",
    ])?;
    let strings = |name| fields.get(name).map(|at| at.strings()).unwrap_or_default();
    // What cannot be read must not become what is most open.
    let access = match fields.get("defaultAccess") {
        Some(at) => read_access(&at),
        None => Some(Access::Allow),
    };
    Some(SecretScope {
        allowed: strings("allowedSecrets"),
        denied: strings("deniedSecrets"),
        store: fields.demand("storeName", "the secret store that it is about", At::parse)?,
        default_access: access?,
        source: at.source(),
    })
}

fn read_access(at: &At) -> Option<Access> {
    let text = at.text()?;
    match text.to_ascii_lowercase().as_str() {
        "allow" => Some(Access::Allow),
        "deny" => Some(Access::Deny),
        _ => {
            at.error(&format!(
                "expected `allow` or `deny`, found `{}`",
                shown(text)
            ));
            None
        }
    }
}
