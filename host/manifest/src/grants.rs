//! What an app may use; nothing that is not written here.

use std::borrow::Borrow;
use std::fmt::{self, Display};
use std::str::FromStr;

use crate::host_pattern::HostPattern;
use crate::name::{ComponentName, InvalidName, Name, shown};
use crate::problem::Source;
use crate::reader::At;

/// What an app may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// The state components.
    pub state: Vec<Pattern<ComponentName>>,
    /// The topics it may publish to.
    pub publish: Vec<TopicPattern>,
    /// The topics it may receive.
    pub subscribe: Vec<TopicPattern>,
    /// The apps it may call.
    pub invoke: Vec<Pattern<Name>>,
    /// The hosts it may send HTTP requests to; none when `http` is not written at all.
    pub http: Option<Vec<HostPattern>>,
    /// Where the app was written, so that a refusal can name the place for the missing line.
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

/// A topic, all topics of a component, or all topics of all components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicPattern {
    /// `*`
    Any,
    /// `component` or `component/*`
    Component(ComponentName),
    /// `component/topic`
    Topic(ComponentName, String),
}

impl Grants {
    /// Whether it may use a state component.
    pub fn state(&self, component: &str) -> bool {
        self.state.iter().any(|pattern| pattern.matches(component))
    }

    /// Whether it may publish to a topic.
    pub fn publish(&self, component: &str, topic: &str) -> bool {
        self.publish
            .iter()
            .any(|pattern| pattern.matches(component, topic))
    }

    /// Whether it may receive a topic.
    pub fn subscribe(&self, component: &str, topic: &str) -> bool {
        self.subscribe
            .iter()
            .any(|pattern| pattern.matches(component, topic))
    }

    /// Whether it may call an app.
    pub fn invoke(&self, app: &str) -> bool {
        self.invoke.iter().any(|pattern| pattern.matches(app))
    }

    /// Whether it may send an HTTP request to a host, which is a name or an address.
    pub fn http(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.http
            .iter()
            .flatten()
            .any(|pattern| pattern.matches(scheme, host, port))
    }
}

impl<T: Borrow<str>> Pattern<T> {
    /// Whether a name is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Any => true,
            Pattern::Only(only) => only.borrow() == name,
        }
    }
}

impl TopicPattern {
    /// Whether a topic of a component is meant.
    pub fn matches(&self, component: &str, topic: &str) -> bool {
        match self {
            TopicPattern::Any => true,
            TopicPattern::Component(only) => only.as_str() == component,
            TopicPattern::Topic(only, of) => only.as_str() == component && of == topic,
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

impl FromStr for TopicPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let component = |name: &str| name.parse().map_err(|error: InvalidName| error.to_string());
        match text.split_once('/') {
            None if text == "*" => Ok(TopicPattern::Any),
            None => component(text).map(TopicPattern::Component),
            Some((name, "*")) => component(name).map(TopicPattern::Component),
            Some((_, "")) => Err(format!(
                "expected `component` or `component/topic`, found `{}`",
                shown(text)
            )),
            Some((name, topic)) => Ok(TopicPattern::Topic(component(name)?, topic.to_owned())),
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

impl Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicPattern::Any => f.write_str("*"),
            TopicPattern::Component(component) => write!(f, "{component}"),
            TopicPattern::Topic(component, topic) => write!(f, "{component}/{topic}"),
        }
    }
}

/// Reads `grants`.
pub(crate) fn read(at: &At, source: Source) -> Option<Grants> {
    let fields = at.fields_of(
        &["state", "publish", "subscribe", "invoke", "http"],
        &["logging"],
    )?;
    fields.warn_of(&["logging"], "no effect: every app may log");
    Some(Grants {
        state: fields.list("state"),
        publish: fields.list("publish"),
        subscribe: fields.list("subscribe"),
        invoke: fields.list("invoke"),
        http: fields.get("http").map(|at| at.parse_items()),
        source,
    })
}
