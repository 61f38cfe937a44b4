//! Names and attributes of spans, as the semantic conventions of OpenTelemetry have them (1.3x: HTTP, messaging, databases).

use super::{About, Ended, Http, Role, Span, Work};
use std::borrow::Cow;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(i64),
}

const STATUS: &str = "http.response.status_code";

type Attributes = Vec<(&'static str, Value)>;

impl Role {
    /// The role of the host in a call of a component.
    pub(crate) fn of_block(block: &str, operation: &str) -> Self {
        match (block, operation) {
            ("pubsub", "publish" | "publish-many") => Role::Producer,
            _ => Role::Client,
        }
    }
}

impl Span {
    /// The name, of which there are no more than apps, components and operations.
    pub fn name(&self) -> Cow<'static, str> {
        match &self.work {
            Work::App {
                about: About::Http(Http { method, .. }),
                ..
            }
            | Work::Outside { method, .. } => match *method {
                "_OTHER" => "HTTP".into(),
                method => method.into(),
            },
            Work::App { kind, .. } => format!("{kind} {}", self.app).into(),
            Work::Component {
                name, operation, ..
            } => format!("{operation} {name}").into(),
        }
    }

    /// True where the call failed by the fault of whoever answered.
    pub fn is_error(&self) -> bool {
        match (&self.work, self.ended) {
            (_, Ended::Dropped) => true,
            (
                Work::App {
                    about: About::Http(_),
                    ..
                },
                _,
            ) => self.wrong_status().is_some(),
            (_, ended) => ended != Ended::Well || self.wrong_status().is_some(),
        }
    }

    /// The status of an answer of HTTP by which the call failed: the fault of a server is 500 or above, and to a client
    /// 400 is a failure too.
    fn wrong_status(&self) -> Option<u16> {
        match &self.work {
            Work::App {
                about: About::Http(http),
                ..
            } => http.status.filter(|status| *status >= 500),
            Work::Outside { status, .. } => status.filter(|status| *status >= 400),
            _ => None,
        }
    }

    /// The attributes but for those of the resource, which has the app and the tenant too.
    pub fn attributes(&self) -> Attributes {
        let mut all = vec![
            ("wythe.tenant", text(&self.tenant)),
            ("wythe.app", text(&self.app)),
        ];
        match &self.work {
            Work::App { kind, about } => {
                all.push(("wythe.kind", text(kind)));
                describe(about, "process", &mut all);
            }
            Work::Component {
                block,
                name,
                driver,
                operation,
                about,
            } => {
                all.push(("wythe.component", text(name)));
                all.push(("wythe.block", text(block)));
                let [system, verb] = names(block);
                all.push((system, text(driver)));
                all.push((verb, text(operation)));
                describe(about, "send", &mut all);
            }
            Work::Outside {
                method,
                host,
                port,
                status,
            } => {
                all.push(("http.request.method", text(method)));
                all.push(("server.address", text(host)));
                all.push(("server.port", Value::Number((*port).into())));
                all.extend(status.map(|status| (STATUS, Value::Number(status.into()))));
            }
        }
        if let Some(kind) = self.error_type() {
            all.push(("error.type", Value::Text(kind)));
        }
        all
    }

    /// The kind of the failure, or a status of 500 and more.
    pub fn error_type(&self) -> Option<String> {
        if let Ended::Failed(kind) = self.ended {
            return Some(kind.as_str().to_owned());
        }
        if self.ended == Ended::Dropped {
            return Some("dropped".to_owned());
        }
        self.wrong_status().map(|status| status.to_string())
    }
}

/// The attributes that have the technology and the operation of a call of a component.
fn names(block: &str) -> [&'static str; 2] {
    match block {
        "pubsub" => ["messaging.system", "messaging.operation.name"],
        "state" | "configuration" | "lock" | "jobs" => ["db.system.name", "db.operation.name"],
        _ => ["wythe.driver", "wythe.operation"],
    }
}

fn describe(about: &About, operation: &str, all: &mut Attributes) {
    match about {
        About::Nothing => {}
        About::Http(http) => {
            all.push(("http.request.method", text(http.method)));
            all.push(("url.path", text(&http.path)));
            let status = http.status;
            all.extend(status.map(|status| (STATUS, Value::Number(status.into()))));
        }
        About::Topic { component, topic } => {
            all.push(("messaging.destination.name", text(topic)));
            all.push(("messaging.operation.type", text(operation)));
            if let Some(component) = component {
                all.push(("wythe.component", text(component)));
            }
        }
    }
}

fn text(value: impl ToString) -> Value {
    Value::Text(value.to_string())
}
