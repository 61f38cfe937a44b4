//! Dapr's `accessControl`: which operations of an app others may call. It narrows grants, and the app that is called has it.

use super::Path;
use crate::{Call, Error, Result, error::Cut, rate::Rate};
use arc_swap::ArcSwap;
use http::Method;
use std::collections::HashSet;
use wythe_manifest::{Access, AccessControl, Configuration, Decision, Name};

/// Bytes of a path, without its query, that policies look at: each of them does, for each call.
const MAX_JUDGED: usize = 2_048;

/// The policies of calls between the apps of a tenant.
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
        let mut segments = None;
        for document in documents.iter().filter(|document| document.is_for(app)) {
            if path.only().len() > MAX_JUDGED {
                return Err(Error::invalid(format!(
                    "a path of {} bytes; `{app}` has policies for its callers, and then it has at most {MAX_JUDGED}",
                    path.only().len()
                )));
            }
            let segments = segments.get_or_insert_with(|| path.segments());
            let identity = (caller.tenant(), caller.app_id());
            let decision = document.control.decide(identity, method.as_str(), segments);
            if decision.access == Access::Deny {
                self.report(caller, app, (method, path), decision);
                return Err(Error::denied(format!(
                    "app `{}` may not make this call of `{app}`",
                    caller.app_id()
                )));
            }
        }
        Ok(())
    }

    fn report(
        &self,
        caller: &Call,
        app: &str,
        (method, path): (&Method, &Path),
        decision: Decision<'_>,
    ) {
        let Some(unsaid) = self.log.allows() else {
            return;
        };
        let (tenant, caller) = (&self.tenant, caller.app_id());
        let (method, path) = (Cut(method), Cut(path.only().escape_debug()).to_string());
        // What a guest asked for is no pattern of the operator's.
        let name = path.replace('*', "%2A").replace('\'', "%27");
        let operation = format!("{{ name: '{name}', httpVerb: [{method}], action: allow }}");
        let advice = match (decision.operation, decision.has_policy) {
            (Some(best), _) => format!("change the operation `{}` at {}", best.name, best.source),
            (None, true) => format!("add `{operation}` to the `operations` of `{caller}`"),
            (None, false) => format!(
                "add `{{ appId: {caller}, namespace: {tenant}, operations: [{operation}] }}` to `policies`"
            ),
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
