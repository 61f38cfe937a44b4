//! The grants of an app: it may use nothing that is not written here.

mod table;

pub use table::{GRANTS, Grant};

use std::borrow::Borrow;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use crate::host_pattern::{HostPattern, ServerPattern};
use crate::name::{ComponentName, InvalidName, Name, shown};
use crate::problem::Source;
use crate::reader::{At, Fields};

/// The things that an app may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The state components.
    pub state: Vec<Pattern<ComponentName>>,
    /// The topics it may publish to.
    pub publish: Vec<PartPattern>,
    /// The topics it may receive.
    pub subscribe: Vec<PartPattern>,
    /// The apps it may call.
    pub invoke: Vec<Pattern<Name>>,
    /// The hosts it may send HTTP requests to; none when `http` is not written at all.
    pub http: Option<Vec<HostPattern>>,
    /// The places of these, in their order.
    pub http_places: Vec<Source>,
    /// The servers that a plugin may connect to; an app has none.
    pub tcp: Arc<[ServerPattern]>,
    /// The secrets it may use.
    pub secrets: Vec<PartPattern>,
    /// The secrets it may see, of those that it may use.
    pub reveal: Vec<PartPattern>,
    /// The configuration components.
    pub configuration: Vec<Pattern<ComponentName>>,
    /// The lock components.
    pub lock: Vec<Pattern<ComponentName>>,
    /// The keys it may work with.
    pub crypto: Vec<PartPattern>,
    /// The operations of output bindings.
    pub bindings: Vec<PartPattern>,
    /// The input bindings it may hear.
    pub listen: Vec<Pattern<ComponentName>>,
    /// The jobs it may schedule, by the names they have.
    pub jobs: Vec<NamePattern>,
    /// The workflows it may start and manage, by their names.
    pub workflow: Vec<NamePattern>,
    /// The types of actors it may call.
    pub actors: Vec<ActorPattern>,
    /// The place where the app was written, so that a refusal can name the place for the missing line.
    pub source: Source,
    /// Every component and app that is named above, and where.
    pub mentions: Vec<Mention>,
    /// The keys that open nothing, whatever is written above, and the places in a `Configuration` that say so.
    pub closed: Vec<(&'static str, Source)>,
}

/// A component or an app that a grant names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The key of the grant, such as `state`.
    pub grant: &'static str,
    /// The component, or the app of `invoke`.
    pub name: String,
    /// The path of keys, such as `apps[0].grants.state[0]`.
    pub key: String,
    /// The place where it was written.
    pub source: Source,
}

/// One name, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern<T> {
    /// `*`
    Any,
    /// The thing of this name.
    Only(T),
}

/// A part of a component (a topic, a secret, a key, an operation), all parts of it, or all parts of all components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartPattern {
    /// `*`
    Any,
    /// `component` or `component/*`
    Component(ComponentName),
    /// `component/part`
    Part(ComponentName, String),
}

/// A type of actors, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorPattern {
    /// `*`
    Any,
    /// The type of this name.
    Only(String),
}

/// A name, or all that begin with a text: `report`, `report-*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    text: String,
    is_prefix: bool,
}

impl Grants {
    /// The place that closes a key of grants; none where it is open.
    pub fn closed(&self, key: &str) -> Option<&Source> {
        let mut closed = self.closed.iter();
        closed
            .find(|(one, _)| *one == key)
            .map(|(_, source)| source)
    }

    fn is_open(&self, key: &str) -> bool {
        self.closed.is_empty() || self.closed(key).is_none()
    }

    /// Returns whether it may use a state component.
    pub fn state(&self, component: &str) -> bool {
        self.is_open("state") && any(&self.state, component)
    }

    /// Returns whether it may publish to a topic.
    pub fn publish(&self, component: &str, topic: &str) -> bool {
        self.is_open("publish") && any_part(&self.publish, component, topic)
    }

    /// Returns whether it may receive a topic.
    pub fn subscribe(&self, component: &str, topic: &str) -> bool {
        any_part(&self.subscribe, component, topic)
    }

    /// Returns whether it may call an app.
    pub fn invoke(&self, app: &str) -> bool {
        self.is_open("invoke") && any(&self.invoke, app)
    }

    /// Returns whether it may use a secret of a store.
    pub fn secrets(&self, component: &str, secret: &str) -> bool {
        self.is_open("secrets") && any_part(&self.secrets, component, secret)
    }

    /// Returns whether it may see a secret of a store.
    pub fn reveal(&self, component: &str, secret: &str) -> bool {
        self.is_open("reveal") && any_part(&self.reveal, component, secret)
    }

    /// Returns whether it may use a configuration component.
    pub fn configuration(&self, component: &str) -> bool {
        self.is_open("configuration") && any(&self.configuration, component)
    }

    /// Returns whether it may use a lock component.
    pub fn lock(&self, component: &str) -> bool {
        self.is_open("lock") && any(&self.lock, component)
    }

    /// Returns whether it may work with a key of a crypto component.
    pub fn crypto(&self, component: &str, key: &str) -> bool {
        self.is_open("crypto") && any_part(&self.crypto, component, key)
    }

    /// Returns whether it may ask an output binding for an operation.
    pub fn bindings(&self, component: &str, operation: &str) -> bool {
        self.is_open("bindings") && any_part(&self.bindings, component, operation)
    }

    /// Returns whether it may hear an input binding.
    pub fn listen(&self, component: &str) -> bool {
        any(&self.listen, component)
    }

    /// Returns whether it may schedule a job of this name.
    pub fn jobs(&self, name: &str) -> bool {
        self.is_open("jobs") && self.jobs.iter().any(|pattern| pattern.matches(name))
    }

    /// Returns whether it may start and manage a workflow.
    pub fn workflow(&self, name: &str) -> bool {
        self.is_open("workflow") && self.workflow.iter().any(|pattern| pattern.matches(name))
    }

    /// Returns whether it may call actors of a type.
    pub fn actors(&self, actor_type: &str) -> bool {
        self.is_open("actors")
            && self.actors.iter().any(|pattern| match pattern {
                ActorPattern::Any => true,
                ActorPattern::Only(only) => only == actor_type,
            })
    }

    /// Returns whether it may send an HTTP request to a host, which is a name or an address.
    pub fn http(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.http
            .iter()
            .flatten()
            .any(|pattern| pattern.matches(scheme, host, port))
    }
}

fn any<T: Borrow<str>>(patterns: &[Pattern<T>], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

fn any_part(patterns: &[PartPattern], component: &str, part: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| pattern.matches(component, part))
}

impl<T: Borrow<str>> Pattern<T> {
    /// Returns whether a name is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Only(only) => only.borrow() == name,
        }
    }
}

impl PartPattern {
    /// Returns whether a part of a component is meant.
    pub fn matches(&self, component: &str, part: &str) -> bool {
        match self {
            PartPattern::Any => true,
            PartPattern::Component(only) => only.as_str() == component,
            PartPattern::Part(only, of) => only.as_str() == component && of == part,
        }
    }
}

impl NamePattern {
    /// Returns whether a name is meant.
    pub fn matches(&self, name: &str) -> bool {
        if self.is_prefix {
            name.starts_with(&self.text)
        } else {
            name == self.text
        }
    }
}

impl FromStr for NamePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        if (name.is_empty() && !is_prefix) || !name.chars().all(is_plain) {
            return Err(format!(
                "expected a name, `name*` or `*`, where names have letters, digits, `-`, `_`, `.` and `:`; found `{}`",
                shown(text)
            ));
        }
        Ok(NamePattern {
            text: name.to_owned(),
            is_prefix,
        })
    }
}

impl FromStr for ActorPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:@".contains(c);
        match text {
            "*" => Ok(ActorPattern::Any),
            name if (1..=256).contains(&name.len()) && name.chars().all(is_plain) => {
                Ok(ActorPattern::Only(name.to_owned()))
            }
            _ => Err(format!(
                "expected a type of actors or `*`, where types have 1 to 256 letters, digits, `-`, `_`, `.`, `:` and `@`; found `{}`",
                shown(text)
            )),
        }
    }
}

impl<T: FromStr<Err = InvalidName>> FromStr for Pattern<T> {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == "*" {
            Ok(Pattern::Any)
        } else {
            text.parse().map(Pattern::Only)
        }
    }
}

impl FromStr for PartPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let component = |name: &str| name.parse().map_err(|error: InvalidName| error.to_string());
        match text.split_once('/') {
            None if text == "*" => Ok(PartPattern::Any),
            None => component(text).map(PartPattern::Component),
            Some((name, "*")) => component(name).map(PartPattern::Component),
            Some((_, "")) => Err(format!(
                "expected `component` or `component/part`, found `{}`",
                shown(text)
            )),
            Some((name, part)) => Ok(PartPattern::Part(component(name)?, part.to_owned())),
        }
    }
}

impl<T: Display> Display for Pattern<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Any => f.write_str("*"),
            Pattern::Only(name) => write!(f, "{name}"),
        }
    }
}

impl Display for PartPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartPattern::Any => f.write_str("*"),
            PartPattern::Component(component) => write!(f, "{component}"),
            PartPattern::Part(component, part) => write!(f, "{component}/{part}"),
        }
    }
}

fn mentions(fields: &Fields) -> Vec<Mention> {
    let of = |grant: &'static str| {
        let named = move |(at, text): (At, &str)| {
            let name = text.split('/').next().unwrap_or_default();
            // What is no name is told where it is read.
            name.parse::<ComponentName>().ok()?;
            Some(Mention {
                grant,
                name: name.to_owned(),
                source: at.source(),
                key: at.key,
            })
        };
        fields.scalars(grant).into_iter().filter_map(named)
    };
    let naming = GRANTS.iter().filter(|grant| grant.is_naming);
    naming.flat_map(|grant| of(grant.key)).collect()
}

fn positions(fields: &Fields, grant: &str) -> Vec<Source> {
    let written = fields.scalars(grant).into_iter();
    written.map(|(at, _)| at.source()).collect()
}

/// Reads `grants`.
pub(crate) fn read(at: &At, source: Source) -> Option<Grants> {
    let keys: Vec<_> = GRANTS.iter().map(|grant| grant.key).collect();
    let fields = at.fields_of(&keys, &["logging"])?;
    fields.warn_of(&["logging"], "no effect: every app may log");
    Some(Grants {
        state: fields.list("state"),
        publish: fields.list("publish"),
        subscribe: fields.list("subscribe"),
        invoke: fields.list("invoke"),
        http: fields.get("http").map(|at| at.parse_items()),
        http_places: positions(&fields, "http"),
        secrets: fields.list("secrets"),
        reveal: fields.list("reveal"),
        configuration: fields.list("configuration"),
        lock: fields.list("lock"),
        crypto: fields.list("crypto"),
        bindings: fields.list("bindings"),
        listen: fields.list("listen"),
        jobs: fields.list("jobs"),
        workflow: fields.list("workflow"),
        actors: fields.list("actors"),
        tcp: Arc::default(),
        mentions: mentions(&fields),
        closed: Vec::new(),
        source,
    })
}
