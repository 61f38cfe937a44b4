//! A span: one call of an app or of a driver, from its begin to its end.

mod conventions;

pub use conventions::Value;

use super::QUEUES;
use crate::{Kind, Trace, text::cut};
use std::{
    mem,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use wythe_manifest::{ComponentName, Name};

/// Bytes of a path in a span; of a longer one the begin is there.
const MAX_PATH: usize = 256;
/// Bytes of a topic's name in a span.
const MAX_TOPIC: usize = 256;

/// A finished span. It has names and numbers, and nothing of what was asked or answered: no key, no query, no body.
#[derive(Clone, Debug)]
pub struct Span {
    /// The ids of the span, of its trace and of its parent.
    pub trace: Trace,
    pub role: Role,
    pub tenant: Name,
    pub app: Name,
    pub work: Work,
    pub start: SystemTime,
    pub took: Duration,
    pub ended: Ended,
}

/// The part of a span in what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

/// The thing that was called.
#[derive(Clone, Debug)]
pub enum Work {
    App {
        kind: &'static str,
        about: About,
    },
    Component {
        block: &'static str,
        name: ComponentName,
        /// Its technology, which is its type without the block.
        driver: Arc<str>,
        operation: &'static str,
        about: About,
    },
    /// A request of an app to the outside. It has no path: some have a token there.
    Outside {
        method: &'static str,
        host: String,
        port: u16,
        status: Option<u16>,
    },
}

/// Things that are known of some calls only.
#[derive(Clone, Debug, Default)]
pub enum About {
    #[default]
    Nothing,
    Http(Http),
    Topic {
        component: Option<String>,
        topic: String,
    },
}

/// A request of HTTP or in its form.
#[derive(Clone, Debug)]
pub struct Http {
    pub method: &'static str,
    /// The path, cut, and without its query.
    pub path: String,
    pub status: Option<u16>,
}

/// The way in which a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Well,
    Failed(Kind),
    /// The caller did not wait for it any more.
    Dropped,
}

impl About {
    /// A request, of which the method is one of those that are known.
    pub(crate) fn http(method: &str, path: &str) -> Self {
        About::Http(Http {
            method: known(method),
            path: without_query(path).to_owned(),
            status: None,
        })
    }

    pub(crate) fn topic(component: Option<&str>, topic: &str) -> Self {
        About::Topic {
            component: component.map(str::to_owned),
            topic: cut(topic, MAX_TOPIC).to_string(),
        }
    }
}

/// The path of a target without its query, cut.
fn without_query(target: &str) -> &str {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    cut(&target[..end], MAX_PATH)
}

/// The name of a method, as the conventions have it: what a caller made up is `_OTHER`.
pub(super) fn known(method: &str) -> &'static str {
    const METHODS: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT",
    ];
    let found = METHODS.into_iter().find(|known| *known == method);
    found.unwrap_or("_OTHER")
}

/// A span whose call is under way. It is recorded when it ends, and as dropped where the call is.
#[derive(Default)]
pub(crate) struct Recording(Option<Box<Open>>);

struct Open {
    span: Span,
    began: Instant,
}

impl Recording {
    pub fn of(span: Span) -> Self {
        let began = Instant::now();
        Recording(Some(Box::new(Open { span, began })))
    }

    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Records the end of the call, and returns its trace where it is recorded; `status` is that of an answer of HTTP.
    pub fn end(mut self, failed: Option<Kind>, status: Option<u16>) -> Option<Trace> {
        self.0.take().map(|mut open| {
            let trace = open.span.trace;
            open.span.ended = failed.map_or(Ended::Well, Ended::Failed);
            match &mut open.span.work {
                Work::App {
                    about: About::Http(http),
                    ..
                } => http.status = status.or_else(|| failed.map(|kind| kind.status().as_u16())),
                Work::Outside { status: of, .. } => *of = status,
                _ => {}
            }
            open.record();
            trace
        })
    }
}

impl Open {
    fn record(mut self: Box<Self>) {
        self.span.took = self.began.elapsed();
        QUEUES.push(self.span);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if let Some(mut open) = mem::take(&mut self.0)
            && !open.span.goes_on()
        {
            open.span.ended = Ended::Dropped;
            open.record();
        }
    }
}

impl Span {
    /// A span that begins now; what there is at its end is set then.
    pub(crate) fn new(trace: Trace, role: Role, (tenant, app): (&Name, &Name), work: Work) -> Self {
        Span {
            trace,
            role,
            tenant: tenant.clone(),
            app: app.clone(),
            work,
            start: SystemTime::now(),
            took: Duration::ZERO,
            ended: Ended::Well,
        }
    }

    /// The bytes that it has in memory, beside names that others share.
    pub(super) fn bytes(&self) -> usize {
        let about = match &self.work {
            Work::App { about, .. } | Work::Component { about, .. } => about,
            Work::Outside { host, .. } => return size_of::<Span>() + host.capacity(),
        };
        size_of::<Span>()
            + match about {
                About::Nothing => 0,
                About::Http(http) => http.path.capacity(),
                About::Topic { component, topic } => {
                    topic.capacity() + component.as_ref().map_or(0, String::capacity)
                }
            }
    }

    /// Says whether a call that is dropped goes on elsewhere or later: the runs of a workflow are one span.
    fn goes_on(&self) -> bool {
        matches!(
            self.work,
            Work::App {
                kind: "workflow",
                ..
            }
        )
    }
}
