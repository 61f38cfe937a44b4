//! Dapr's `accessControl`: which operations of an app others may call, and clients outside that it names. It narrows grants, and
//! the app that is called has it.

use super::{CLIENT_NAME, Path};
use crate::{Call, Error, Result, error::Cut, rate::Rate};
use arc_swap::ArcSwap;
use http::{HeaderMap, Method, Uri};
use std::collections::HashSet;
use wythe_manifest::{Access, AccessControl, Configuration, Decision, Name, Source, Subject};

/// Bytes of a path, without its query, that policies look at: each of them does, for each call.
const MAX_JUDGED: usize = 2_048;

/// The policies of calls of the apps of a tenant.
pub struct AccessPolicies {
    tenant: Name,
    documents: ArcSwap<Vec<Document>>,
    log: Rate,
}

/// The policies of one `Configuration`.
struct Document {
    /// The apps that are called; empty is all.
    apps: HashSet<Name>,
    control: AccessControl,
}

impl AccessPolicies {
    /// A tenant's, which has none yet.
    pub fn new(tenant: Name) -> Self {
        AccessPolicies {
            tenant,
            documents: ArcSwap::default(),
            log: Rate::per_minute(12),
        }
    }

    /// Puts policies in force in place of those before, for every call from now on.
    pub fn set(&self, configurations: &[Configuration]) {
        let own = configurations
            .iter()
            .filter(|one| self.tenant.has(one.namespace.as_ref()));
        let documents = own.filter_map(|one| {
            Some(Document {
                apps: one.scopes.iter().cloned().collect(),
                control: one.access.clone()?,
            })
        });
        let now: Vec<Document> = documents.collect();
        if let Some(open) = opened(&self.documents.load(), &now) {
            tracing::warn!(
                tenant = %self.tenant,
                "the policies with `client` of `accessControl` at {open} are gone, and no others are about its apps: they no \
                 longer refuse any request from outside; to refuse all of them write `policies: [{{ client: 'cn:nobody' }}]`",
            );
        }
        self.documents.store(now.into());
    }

    /// Refuses a call that a policy of the callee denies. The operator is no app, and no policy is about it. To the caller
    /// the refusal says no more than that; the log says by what, and what to write.
    pub(crate) fn require(
        &self,
        caller: &Call,
        app: &str,
        method: &Method,
        path: &Path,
    ) -> Result<()> {
        let documents = self.documents.load();
        if documents.is_empty() || caller.grants().is_none() {
            return Ok(());
        }
        let id = Subject::App {
            namespace: caller.tenant().clone(),
            app: caller.app_id().clone(),
        };
        let documents = documents.iter().filter(|document| document.is_for(app));
        self.judge(documents, &id, app, (method, path))
    }

    /// Refuses a request from outside in the same way, if a document for the app that is asked names clients. The name is the
    /// one that the host wrote into the headers.
    pub(crate) fn require_client(
        &self,
        headers: &HeaderMap,
        app: &str,
        method: &Method,
        uri: &Uri,
    ) -> Result<()> {
        let documents = self.documents.load();
        let is_about_it = |one: &&Document| one.control.names_clients() && one.is_for(app);
        let mut documents = documents.iter().filter(is_about_it).peekable();
        if documents.peek().is_none() {
            return Ok(());
        }
        let name = headers.get(CLIENT_NAME).and_then(|name| name.to_str().ok());
        let name = name.and_then(|name| name.parse().ok());
        let client = name.map_or(Subject::Stranger, Subject::Client);
        self.judge(documents, &client, app, (method, &Path::of(uri)?))
    }

    fn judge<'a>(
        &self,
        documents: impl Iterator<Item = &'a Document>,
        caller: &Subject,
        app: &str,
        (method, path): (&Method, &Path),
    ) -> Result<()> {
        let mut segments = None;
        for document in documents {
            if path.only().len() > MAX_JUDGED {
                return Err(Error::invalid(format!(
                    "a path of {} bytes; `{app}` has policies for its callers, and then it has at most {MAX_JUDGED}",
                    path.only().len()
                )));
            }
            let segments = segments.get_or_insert_with(|| path.segments());
            let decision = document.control.decide(caller, method.as_str(), segments);
            if decision.access == Access::Deny {
                self.report(caller, app, (method, path), decision);
                return Err(Error::denied(match caller {
                    Subject::App { app: id, .. } => {
                        format!("app `{id}` may not make this call of `{app}`")
                    }
                    _ => format!("this client may not make this request of `{app}`"),
                }));
            }
        }
        Ok(())
    }

    fn report(
        &self,
        caller: &Subject,
        app: &str,
        (method, path): (&Method, &Path),
        decision: Decision<'_>,
    ) {
        let Some(unsaid) = self.log.allows() else {
            return;
        };
        let tenant = &self.tenant;
        let (method, path) = (Cut(method), Cut(path.only().escape_debug()).to_string());
        // What a guest or a stranger asked for is no pattern of the operator's.
        let name = path.replace('*', "%2A").replace('\'', "%27");
        let operation = format!("{{ name: '{name}', httpVerb: [{method}], action: allow }}");
        let advice = advice(caller, &operation, decision);
        let caller = word(caller);
        tracing::warn!(
            %tenant,
            %caller,
            %app,
            unsaid,
            "`accessControl` denied {method} {path} of `{app}` to `{caller}`, by {}; to allow it {advice}",
            decision.source,
        );
    }
}

/// The word for a caller in a line of the log.
fn word(caller: &Subject) -> &str {
    match caller {
        Subject::App { app, .. } => app.as_str(),
        Subject::Client(name) => name.as_str(),
        Subject::Stranger => "a client without a name",
    }
}

/// The words for what the operator may write to allow a call that was denied.
fn advice(caller: &Subject, operation: &str, decision: Decision<'_>) -> String {
    if let Some(best) = decision.operation {
        return format!("change the operation `{}` at {}", best.name, best.source);
    }
    let policy = match caller {
        Subject::App { namespace, app } => format!("appId: {app}, namespace: {namespace}"),
        Subject::Client(name) => format!("client: '{}'", name.as_str().replace('\'', "''")),
        Subject::Stranger => {
            return "give it a certificate by an authority of `tls.clientCa`, and its name to \
                    `policies` as `client`"
                .to_owned();
        }
    };
    match decision.has_policy {
        true => format!(
            "add `{operation}` to the `operations` of `{}`",
            word(caller)
        ),
        false => format!("add `{{ {policy}, operations: [{operation}] }}` to `policies`"),
    }
}

/// The place of a document that named clients of an app for which no document names any now: those outside are let in.
fn opened<'a>(before: &'a [Document], now: &[Document]) -> Option<&'a Source> {
    let names_clients = |one: &&Document| one.control.names_clients();
    let is_judged = |app: &Name| {
        let mut left = now.iter().filter(names_clients);
        left.any(|one| one.is_for(app.as_str()))
    };
    let is_left = |one: &Document| match one.apps.is_empty() {
        true => now
            .iter()
            .filter(names_clients)
            .any(|one| one.apps.is_empty()),
        false => one.apps.iter().all(is_judged),
    };
    let mut named = before.iter().filter(names_clients);
    let open = named.find(|one| !is_left(one))?;
    Some(&open.control.source)
}

impl Document {
    fn is_for(&self, app: &str) -> bool {
        self.apps.is_empty() || self.apps.contains(app)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_manifest::parse_resources;

    /// The documents of these scopes, and their policies.
    fn documents(all: &[(&str, &str)]) -> Vec<Document> {
        let document = |(scopes, policies): &(&str, &str)| {
            let head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: c }";
            let spec = format!("spec: {{ accessControl: {{ policies: [{policies}] }} }}");
            let scopes = match *scopes {
                "" => String::new(),
                apps => format!("scopes: [{apps}]\n"),
            };
            let text = format!("{head}\n{spec}\n{scopes}");
            let (found, problems) = parse_resources(&text, "a.yaml".as_ref());
            assert!(problems.is_empty(), "{problems}");
            let one = found.configurations.into_iter().next().expect("a document");
            Document {
                apps: one.scopes.into_iter().collect(),
                control: one.access.expect("policies"),
            }
        };
        all.iter().map(document).collect()
    }

    #[test]
    fn an_edit_after_which_no_document_names_clients_of_an_app_is_seen() {
        const CLIENT: &str = "{ client: 'cn:a' }";
        const OTHER: &str = "{ client: 'cn:b' }";
        const APP: &str = "{ appId: a, namespace: default }";
        let (one, two) = ([("cart", CLIENT)], [("cart, shop", CLIENT)]);
        for (before, now, is_seen) in [
            (&one[..], &[("cart", APP)][..], true),
            (&one, &[], true),
            (&one, &[("shop", CLIENT)], true),
            (&two, &[("cart", CLIENT)], true),
            (&[("", CLIENT)], &[("cart", CLIENT)], true),
            (&one, &[("cart", OTHER)], false),
            (&one, &[("", OTHER), ("cart", APP)], false),
            (&two, &[("cart", CLIENT), ("shop", CLIENT)], false),
            (&[("cart", APP)], &[], false),
            (&[], &one, false),
        ] {
            let (past, present) = (documents(before), documents(now));
            let found = opened(&past, &present).map(|source| source.line);
            assert_eq!(found, is_seen.then_some(4), "{before:?} {now:?}");
        }
    }
}
