//! `httpPipeline` and `appHttpPipeline`: the middleware that a request from outside goes through before an app is chosen, and
//! that every request to an app goes through.

use super::unenforced::is_idle;
use crate::component::Component;
use crate::name::{ComponentName, shown};
use crate::problem::Source;
use crate::reader::{At, Fields};

/// Handlers of one pipeline: each request goes through all of them.
const MAX_HANDLERS: usize = 32;
/// The first words of a handler's type.
const KIND: &str = "middleware.http.";

/// One step of a pipeline: a component, and the type that it is to have.
#[derive(Clone, Debug)]
pub struct Handler {
    /// The component.
    pub name: ComponentName,
    /// Its type, such as `middleware.http.bearer`.
    pub kind: String,
    /// The version of its type; none is every one.
    pub version: Option<String>,
    /// The place where it was written.
    pub source: Source,
}

impl Handler {
    /// The difference between the component that is there and what the handler says of it, if there is one.
    pub(crate) fn mismatch(&self, component: &Component) -> Option<String> {
        let (name, kind) = (&self.name, component.kind());
        if kind != self.kind {
            let found = &self.kind;
            return Some(format!(
                "`{name}` is of the type `{kind}` at {}; expected that, found `{found}`",
                component.source
            ));
        }
        let version = self.version.as_ref();
        if let Some(version) = version.filter(|version| **version != component.version) {
            return Some(format!(
                "`{name}` has the version `{}` at {}; expected that, found `{}`",
                component.version,
                component.source,
                shown(version)
            ));
        }
        let scopes = !component.scopes.is_empty();
        scopes.then(|| {
            format!(
                "`{name}` has `scopes` at {}, and handlers run for whoever asks; leave them out",
                component.source
            )
        })
    }
}

/// Reads one of the two keys of a `spec`. A handler that cannot be read is an error, so that no pipeline runs without it.
pub(super) fn read(spec: &Fields, key: &'static str) -> Vec<Handler> {
    let pipeline = spec.read(key, |at| at.fields(&["handlers"]));
    let Some(handlers) = pipeline.and_then(|pipeline| pipeline.get("handlers")) else {
        return Vec::new();
    };
    let items = handlers.items();
    if let Some(at) = items.get(MAX_HANDLERS) {
        at.error(&format!(
            "more than {MAX_HANDLERS} handlers; each request goes through all of them"
        ));
        return Vec::new();
    }
    items.iter().filter_map(read_handler).collect()
}

fn read_handler(at: &At) -> Option<Handler> {
    let fields = at.fields(&["name", "type", "version", "selector"])?;
    if let Some(selector) = fields.get("selector").filter(|at| !is_idle(at)) {
        selector.error("not enforced: a handler runs for every request; leave it out");
    }
    let name = fields.demand("name", "the component that handles requests", At::parse);
    let kind = fields.demand(
        "type",
        "the type of the component, such as `middleware.http.bearer`",
        read_kind,
    );
    Some(Handler {
        version: fields.string("version"),
        source: at.source(),
        name: name?,
        kind: kind?,
    })
}

fn read_kind(at: &At) -> Option<String> {
    let text = at.filled()?;
    if !text.starts_with(KIND) || text.len() == KIND.len() {
        at.error(&format!(
            "expected a type that begins with `{KIND}`, such as `middleware.http.bearer`, found `{}`",
            shown(text)
        ));
        return None;
    }
    Some(text.to_owned())
}
