//! Dapr's `accessControl`: which operations of an app others may call, and clients outside that it names. It narrows grants, and
//! the app that is called has it.

use super::{CLIENT_NAME, Path};
use crate::{Call, Error, Result, error::Cut, rate::Rate};
use arc_swap::ArcSwap;
use http::{HeaderMap, Method, Uri};
use std::collections::HashSet;
use wythe_manifest::{Access, AccessControl, Configuration, Decision, Name, Subject};

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
        self.documents.store(documents.collect::<Vec<_>>().into());
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
        let (caller, policy) = match caller {
            Subject::App { namespace, app } => {
                let policy = format!("appId: {app}, namespace: {namespace}");
                (app.to_string(), Some(policy))
            }
            Subject::Client(name) => {
                let quoted = name.as_str().replace('\'', "''");
                (
                    name.as_str().to_owned(),
                    Some(format!("client: '{quoted}'")),
                )
            }
            Subject::Stranger => (caller.to_string(), None),
        };
        let advice = match (decision.operation, policy) {
            (Some(best), _) => format!("change the operation `{}` at {}", best.name, best.source),
            (None, Some(_)) if decision.has_policy => {
                format!("add `{operation}` to the `operations` of `{caller}`")
            }
            (None, Some(policy)) => {
                format!("add `{{ {policy}, operations: [{operation}] }}` to `policies`")
            }
            (None, None) => {
                "give it a certificate by an authority of `tls.clientCa`, and its name \
                             to `policies` as `client`"
                    .to_owned()
            }
        };
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

impl Document {
    fn is_for(&self, app: &str) -> bool {
        self.apps.is_empty() || self.apps.contains(app)
    }
}
