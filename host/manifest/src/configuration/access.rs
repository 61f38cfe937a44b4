//! `accessControl`: which apps, and which clients outside, may call which operations of an app. It is asked on the side of the
//! app that is called.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::operation::{Operation, best, read_operations};
use super::{Access, read_access};
use crate::name::{Name, shown};
use crate::problem::Source;
use crate::reader::{At, Fields};

/// Policies of a document: each call looks one up by its caller.
const MAX_POLICIES: usize = 1_000;
/// The trust domain where none is written.
const PUBLIC: &str = "public";
/// Bytes of a client's name.
const MAX_CLIENT: usize = 256;
/// The kinds of names in certificates.
const KINDS: [&str; 3] = ["uri:", "dns:", "cn:"];

/// The policies of calls to the apps that a `Configuration` is for.
#[derive(Clone, Debug)]
pub struct AccessControl {
    /// The action for callers without a policy: what is written, else deny where there are policies.
    pub default_action: Access,
    /// The policies, no two of which are for the same caller.
    pub policies: Vec<CallerPolicy>,
    /// The place where it was written.
    pub source: Source,
    by_caller: HashMap<Subject, usize>,
    names_clients: bool,
}

/// A subject of policies: whoever calls an app.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// An app.
    App {
        /// The tenant of the app.
        namespace: Name,
        /// Its id.
        app: Name,
    },
    /// A client outside, which has shown a certificate.
    Client(ClientName),
    /// A client outside without a certificate, or without a name in it. No policy is its own.
    Stranger,
}

/// The name in a client's certificate: `uri:`, `dns:` or `cn:`, and ASCII, 256 bytes in all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientName(Arc<str>);

/// The policy of calls by one caller.
#[derive(Clone, Debug)]
pub struct CallerPolicy {
    /// The caller, which is no stranger.
    pub caller: Subject,
    /// The action where no operation decides; none is that of the document.
    pub default_action: Option<Access>,
    /// The operations, no two of which have the same name.
    pub operations: Vec<Operation>,
    /// The place where it was written.
    pub source: Source,
}

impl ClientName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let has_name = |kind: &&str| {
            text.strip_prefix(*kind)
                .is_some_and(|name| !name.is_empty())
        };
        let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let is_name = text.len() <= MAX_CLIENT && text.bytes().all(is_plain);
        match is_name && KINDS.iter().any(has_name) {
            true => Ok(ClientName(text.into())),
            false => Err(format!(
                "`{}` is no name in a client's certificate: expected one as apps read it, ASCII of {MAX_CLIENT} bytes at most, such as `uri:spiffe://example.org/partner`, `dns:partner.example.org` or `cn:Partner`",
                shown(text)
            )),
        }
    }
}

/// The words for a caller in a message.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::App { app, .. } => write!(f, "the app `{app}`"),
            Subject::Client(name) => write!(f, "the client `{}`", name.as_str()),
            Subject::Stranger => f.write_str("a client without a name"),
        }
    }
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
    /// Returns whether it is asked about requests from outside: a policy of it names a client.
    pub fn names_clients(&self) -> bool {
        self.names_clients
    }

    /// Decides about a call; `segments` are those of its path, as [`crate::path_segments`] makes them.
    pub fn decide(&self, caller: &Subject, verb: &str, segments: &[String]) -> Decision<'_> {
        let policy = self.by_caller.get(caller);
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
        names_clients: false,
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
        "client",
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
    let caller = match fields.get("client") {
        Some(at) => read_client(&fields, &at),
        None => read_app(&fields),
    };
    let operations = fields.get("operations");
    let operations = operations.map(|at| read_operations(&at));
    Some(CallerPolicy {
        operations: operations.unwrap_or_default(),
        default_action: match default_action {
            Some(read) => Some(read?),
            None => None,
        },
        caller: caller?,
        source: at.source(),
    })
}

fn read_app(fields: &Fields) -> Option<Subject> {
    let app = fields.demand("appId", "the app that calls", At::parse);
    let namespace = fields.demand("namespace", "the tenant of the app that calls", At::parse);
    Some(Subject::App {
        app: app?,
        namespace: namespace?,
    })
}

/// A client is in no tenant and in no trust domain.
fn read_client(fields: &Fields, at: &At) -> Option<Subject> {
    for (_, other) in fields.each_of(&["appId", "namespace", "trustDomain"]) {
        other.error("is about apps, and the policy about a `client` outside; write one for each");
    }
    at.parse().map(Subject::Client)
}

impl AccessControl {
    /// Adds a policy; two for one caller would contradict each other.
    fn add(&mut self, policy: CallerPolicy, at: &At) {
        if let Some(index) = self.by_caller.get(&policy.caller) {
            at.error(&format!(
                "{} has its policy already in {}; write one",
                policy.caller, self.policies[*index].source
            ));
            return;
        }
        self.names_clients |= matches!(policy.caller, Subject::Client(_));
        self.by_caller
            .insert(policy.caller.clone(), self.policies.len());
        self.policies.push(policy);
    }
}
