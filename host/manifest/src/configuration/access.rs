//! `accessControl`: which apps may call which operations of an app. It is asked on the side of the app that is called.

use std::collections::HashMap;

use super::operation::{Operation, best, read_operations};
use super::{Access, read_access};
use crate::name::{Name, shown};
use crate::problem::Source;
use crate::reader::{At, Fields};

/// Policies of a document: each call looks one up by its caller.
const MAX_POLICIES: usize = 1_000;
/// The trust domain where none is written.
const PUBLIC: &str = "public";

/// The policies of calls to the apps that a `Configuration` is for.
#[derive(Clone, Debug)]
pub struct AccessControl {
    /// The action for callers without a policy: what is written, else deny where there are policies.
    pub default_action: Access,
    /// The policies, no two of which are for the same caller.
    pub policies: Vec<CallerPolicy>,
    /// The place where it was written.
    pub source: Source,
    by_caller: HashMap<(Name, Name), usize>,
}

/// The policy of calls by one app.
#[derive(Clone, Debug)]
pub struct CallerPolicy {
    /// The app that calls.
    pub app: Name,
    /// The tenant of that app.
    pub namespace: Name,
    /// The action where no operation decides; none is that of the document.
    pub default_action: Option<Access>,
    /// The operations, no two of which have the same name.
    pub operations: Vec<Operation>,
    /// The place where it was written.
    pub source: Source,
}

/// The answer to a call, with the place that decided.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The word about the call.
    pub access: Access,
    /// The operation, the policy, or the whole of `accessControl`.
    pub source: &'a Source,
    /// The caller has a policy of its own.
    pub has_policy: bool,
    /// The operation that fits best, whether or not it names the verb.
    pub operation: Option<&'a Operation>,
}

impl AccessControl {
    /// Decides about a call by an app of a tenant; `segments` are those of its path, as [`crate::path_segments`] makes
    /// them.
    pub fn decide(
        &self,
        (tenant, app): (&Name, &Name),
        verb: &str,
        segments: &[String],
    ) -> Decision<'_> {
        let policy = self.by_caller.get(&(tenant.clone(), app.clone()));
        let Some(policy) = policy.map(|index| &self.policies[*index]) else {
            return Decision {
                access: self.default_action,
                source: &self.source,
                has_policy: false,
                operation: None,
            };
        };
        let fitting = best(&policy.operations, segments);
        let decided = fitting.and_then(|operation| Some((operation.action(verb)?, operation)));
        let (access, source) = match (decided, policy.default_action) {
            (Some((access, operation)), _) => (access, &operation.source),
            (None, Some(access)) => (access, &policy.source),
            (None, None) => (self.default_action, &self.source),
        };
        Decision {
            access,
            source,
            has_policy: true,
            operation: fitting,
        }
    }
}

/// Reads the key; none where it says nothing.
pub(super) fn read(at: &At) -> Option<AccessControl> {
    let fields = at.fields(&["defaultAction", "trustDomain", "policies"])?;
    let domain = domain(&fields);
    let items = fields.get("policies").map(|at| at.items());
    let mut items = items.unwrap_or_default();
    if items.len() > MAX_POLICIES {
        at.error(&format!(
            "has {} policies; at most {MAX_POLICIES} are allowed in a document",
            items.len()
        ));
        items.clear();
    }
    let written = fields.get("defaultAction");
    if written.is_none() && items.is_empty() && fields.get("trustDomain").is_none() {
        return None;
    }
    // What cannot be read must not become what is most open.
    let default_action = match written {
        Some(at) => read_access(&at)?,
        None if items.is_empty() => Access::Allow,
        None => Access::Deny,
    };
    let mut control = AccessControl {
        default_action,
        policies: Vec::new(),
        source: at.source(),
        by_caller: HashMap::new(),
    };
    for item in &items {
        if let Some(policy) = read_policy(item, domain) {
            control.add(policy, item);
        }
    }
    Some(control)
}

/// The trust domain that all apps have: there is no other, for no certificate says who calls.
fn domain<'a>(fields: &Fields<'a>) -> &'a str {
    let written = fields.get("trustDomain");
    written.and_then(|at| at.filled()).unwrap_or(PUBLIC)
}

fn read_policy(at: &At, domain: &str) -> Option<CallerPolicy> {
    let fields = at.fields(&[
        "appId",
        "defaultAction",
        "trustDomain",
        "namespace",
        "operations",
    ])?;
    if let Some(at) = fields.get("trustDomain")
        && let Some(text) = at.filled()
        && text != domain
    {
        at.error(&format!(
            "no caller has the trust domain `{}`: all apps have `{}`, that of `accessControl`; write the same or leave it out",
            shown(text),
            shown(domain)
        ));
    }
    let default_action = fields.get("defaultAction").map(|at| read_access(&at));
    let app = fields.demand("appId", "the app that calls", At::parse);
    let namespace = fields.demand("namespace", "the tenant of the app that calls", At::parse);
    let operations = fields.get("operations");
    let operations = operations.map(|at| read_operations(&at));
    Some(CallerPolicy {
        operations: operations.unwrap_or_default(),
        default_action: match default_action {
            Some(read) => Some(read?),
            None => None,
        },
        app: app?,
        namespace: namespace?,
        source: at.source(),
    })
}

impl AccessControl {
    /// Adds a policy; two for one caller would contradict each other.
    fn add(&mut self, policy: CallerPolicy, at: &At) {
        let caller = (policy.namespace.clone(), policy.app.clone());
        if let Some(index) = self.by_caller.get(&caller) {
            at.error(&format!(
                "the app `{}` has its policy already in {}; write one",
                policy.app, self.policies[*index].source
            ));
            return;
        }
        self.by_caller.insert(caller, self.policies.len());
        self.policies.push(policy);
    }
}
