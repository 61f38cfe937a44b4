//! Names and attributes of spans, as the semantic conventions of OpenTelemetry have them (1.3x: HTTP, messaging, databases).

use super::{About, Ended, Role, Span, Work};
use std::borrow::Cow;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Number(i64),
}

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
                about: About::Http(http),
                ..
            } => match http.method {
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
                    about: About::Http(http),
                    ..
                },
                _,
            ) => http.status.is_some_and(|status| status >= 500),
            (_, ended) => ended != Ended::Well,
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
                match *block {
                    "pubsub" => {
                        all.push(("messaging.system", text(driver)));
                        all.push(("messaging.operation.name", text(operation)));
                    }
                    "state" | "configuration" | "lock" | "jobs" => {
                        all.push(("db.system.name", text(driver)));
                        all.push(("db.operation.name", text(operation)));
                    }
                    _ => {
                        all.push(("wythe.driver", text(driver)));
                        all.push(("wythe.operation", text(operation)));
                    }
                }
                describe(about, "send", &mut all);
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
        match &self.work {
            Work::App {
                about: About::Http(http),
                ..
            } => {
                let status = http.status.filter(|status| *status >= 500);
                status.map(|status| status.to_string())
            }
            _ => None,
        }
    }
}

fn describe(about: &About, operation: &str, all: &mut Attributes) {
    match about {
        About::Nothing => {}
        About::Http(http) => {
            all.push(("http.request.method", text(http.method)));
            all.push(("url.path", text(&http.path)));
            if let Some(status) = http.status {
                all.push(("http.response.status_code", Value::Number(status.into())));
            }
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
