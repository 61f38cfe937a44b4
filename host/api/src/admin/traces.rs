//! The commands about traces: those of a tenant's that the host still has, newest first, and one of them with its spans.
//!
//! The first of these commands begins to gather spans, and two minutes without one end that.

use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::SystemTime,
};
use wythe_blocks::{
    Error, Host, Result, Tenant,
    spans::{About, Span as Ended, Work},
    time::{microseconds, since_1970},
};

/// The most traces of one answer.
const PAGE: u32 = 100;
/// The most spans of one trace that are shown; the earliest ones are.
const SPANS: usize = 1_000;
/// The most apps and components with figures.
const FIGURES: usize = 500;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    Get {
        /// Its id, 32 hexadecimal digits.
        trace: String,
    },
    List(List),
}

/// The traces that are looked for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Those in which something failed.
    #[serde(default)]
    pub failed: bool,
    /// Those that reached this app.
    #[serde(default)]
    pub app: Option<String>,
    /// Traces to leave out, the newest ones.
    #[serde(default)]
    pub skip: u32,
    /// 0 to 100.
    pub limit: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    Page(Page),
    Trace {
        /// The spans, in the order of their begin.
        spans: Vec<Span>,
        /// Spans that it has beyond these.
        more: usize,
    },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Page {
    pub traces: Vec<Trace>,
    /// Traces that are looked for, those of other pages too.
    pub found: usize,
    /// Spans of the tenant that the host has.
    pub spans: usize,
    /// Microseconds since 1970 of the oldest of these.
    pub since: Option<u64>,
    pub figures: Vec<Figure>,
}

/// One trace in a list. Times are microseconds, since 1970 where they are no lengths.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trace {
    pub trace: String,
    /// Its first span, as far as the host has it.
    pub name: String,
    pub app: String,
    pub start: u64,
    pub took: u64,
    pub spans: usize,
    pub failed: usize,
    /// The apps that were called.
    pub apps: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Span {
    pub span: String,
    pub parent: Option<String>,
    /// The app that was called, or that called a component.
    pub app: String,
    /// The component, of a call of one.
    pub component: Option<String>,
    pub name: String,
    /// A path, or a topic.
    pub about: String,
    pub status: Option<u16>,
    pub start: u64,
    pub took: u64,
    /// Says whether it counts as a failure of whoever answered.
    pub failed: bool,
    /// The kind of the error, where there was one.
    pub error: Option<String>,
}

/// The calls of an app, or of a component, among the spans that the host has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// The app; absent for a component.
    pub app: Option<String>,
    pub component: Option<String>,
    pub calls: usize,
    pub failed: usize,
    /// Microseconds within which half of them, and 95 of 100, ended; and the longest.
    pub half: u64,
    pub nearly_all: u64,
    pub longest: u64,
}

pub(super) fn execute(host: &Host, tenant: &Tenant, action: Action) -> Result<super::Answer> {
    let mut spans = host.recent().look(host.tasks());
    spans.retain(|span| span.tenant == *tenant.name());
    let answer = match action {
        Action::Get { trace } => get(&spans, &trace)?,
        Action::List(list) => Answer::Page(list.page(&spans)?),
    };
    Ok(super::Answer::Traces(answer))
}

fn get(spans: &[Arc<Ended>], trace: &str) -> Result<Answer> {
    let id = u128::from_str_radix(trace, 16).ok();
    let id = id.filter(|_| trace.len() == 32).ok_or_else(|| {
        Error::invalid("the id of a trace; expected 32 hexadecimal digits".to_owned())
    })?;
    let own = spans.iter().filter(|span| span.trace.trace == id);
    let mut spans: Vec<_> = own.map(|span| Span::new(span)).collect();
    if spans.is_empty() {
        return Err(Error::not_found(format!(
            "the host has nothing of the trace {trace} any more; it has the last spans, while somebody looks at them"
        )));
    }
    // Of two that begin together the longer one is the caller.
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.took)));
    let more = spans.len().saturating_sub(SPANS);
    spans.truncate(SPANS);
    Ok(Answer::Trace { spans, more })
}

impl List {
    fn page(&self, spans: &[Arc<Ended>]) -> Result<Page> {
        if self.limit > PAGE {
            let limit = self.limit;
            let message = format!("a page of {limit} traces; expected 0 to {PAGE}");
            return Err(Error::invalid(message));
        }
        let mut by_trace: HashMap<u128, Vec<&Ended>> = HashMap::new();
        for span in spans {
            by_trace.entry(span.trace.trace).or_default().push(span);
        }
        let mut found: Vec<_> = by_trace
            .into_values()
            .filter(|all| self.fits(all))
            .collect();
        found.sort_by_cached_key(|all| std::cmp::Reverse(begin(all)));
        let page = found.iter().skip(self.skip as usize);
        let page = page.take(self.limit as usize);
        Ok(Page {
            traces: page.map(|all| Trace::new(all)).collect(),
            found: found.len(),
            spans: spans.len(),
            since: spans.iter().map(|span| micros_since_1970(span.start)).min(),
            figures: figures(spans),
        })
    }

    fn fits(&self, spans: &[&Ended]) -> bool {
        let app = self.app.as_deref();
        (!self.failed || spans.iter().any(|span| span.is_error()))
            && app.is_none_or(|app| spans.iter().any(|span| span.app.as_str() == app))
    }
}

fn begin(spans: &[&Ended]) -> u64 {
    let starts = spans.iter().map(|span| micros_since_1970(span.start));
    starts.min().unwrap_or_default()
}

impl Trace {
    fn new(spans: &[&Ended]) -> Self {
        let start = begin(spans);
        let end = spans
            .iter()
            .map(|span| micros_since_1970(span.start) + microseconds(span.took));
        let first = spans.iter().min_by_key(|span| {
            let start = micros_since_1970(span.start);
            (
                span.trace.parent.is_some(),
                start,
                u64::MAX - microseconds(span.took),
            )
        });
        let first = first.map(|span| Span::new(span));
        let called = spans
            .iter()
            .filter(|span| matches!(span.work, Work::App { .. }));
        let apps: BTreeSet<_> = called.map(|span| &span.app).collect();
        Trace {
            trace: first_id(spans),
            name: first.as_ref().map_or(String::new(), Span::title),
            app: first.map_or(String::new(), |first| first.app),
            start,
            took: end.max().unwrap_or_default().saturating_sub(start),
            spans: spans.len(),
            failed: spans.iter().filter(|span| span.is_error()).count(),
            apps: apps.len(),
        }
    }
}

fn first_id(spans: &[&Ended]) -> String {
    let id = spans.first().map_or(0, |span| span.trace.trace);
    format!("{id:032x}")
}

impl Span {
    fn new(span: &Ended) -> Self {
        let component = match &span.work {
            Work::Component { name, .. } => Some(name.to_string()),
            _ => None,
        };
        let (about, status) = match &span.work {
            Work::App { about, .. } | Work::Component { about, .. } => match about {
                About::Nothing => (String::new(), None),
                About::Http(http) => (http.path.clone(), http.status),
                About::Topic { topic, .. } => (topic.clone(), None),
            },
            Work::Outside {
                host, port, status, ..
            } => (format!("{host}:{port}"), *status),
        };
        Span {
            span: format!("{:016x}", span.trace.span),
            parent: span.trace.parent.map(|parent| format!("{parent:016x}")),
            app: span.app.to_string(),
            component,
            name: span.name().into_owned(),
            about,
            status,
            start: micros_since_1970(span.start),
            took: microseconds(span.took),
            failed: span.is_error(),
            error: span.error_type(),
        }
    }

    /// Its name, and what it is about.
    pub fn title(&self) -> String {
        match self.about.is_empty() {
            true => self.name.clone(),
            false => format!("{} {}", self.name, self.about),
        }
    }
}

/// The calls of each app, then those of each component.
fn figures(spans: &[Arc<Ended>]) -> Vec<Figure> {
    // Whether it is a component, and its name.
    let mut calls: BTreeMap<(bool, &str), Vec<&Ended>> = BTreeMap::new();
    for span in spans {
        let name = match &span.work {
            Work::App { .. } => (false, span.app.as_str()),
            Work::Component { name, .. } => (true, name.as_str()),
            // The time of somebody else.
            Work::Outside { .. } => continue,
        };
        calls.entry(name).or_default().push(span);
    }
    let first = calls.into_iter().take(FIGURES);
    first
        .map(|((is_component, name), calls)| Figure::new(is_component, name, &calls))
        .collect()
}

impl Figure {
    fn new(is_component: bool, name: &str, calls: &[&Ended]) -> Self {
        let mut times: Vec<_> = calls.iter().map(|span| microseconds(span.took)).collect();
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100];
        Figure {
            app: (!is_component).then(|| name.to_owned()),
            component: is_component.then(|| name.to_owned()),
            calls: calls.len(),
            failed: calls.iter().filter(|span| span.is_error()).count(),
            half: at(50),
            nearly_all: at(95),
            longest: at(100),
        }
    }
}

fn micros_since_1970(time: SystemTime) -> u64 {
    microseconds(since_1970(time))
}

#[cfg(test)]
mod tests;
