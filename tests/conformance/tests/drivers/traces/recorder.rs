//! A subscriber that writes down the spans of calls, with their fields.

use parking_lot::Mutex;
use std::{collections::BTreeMap, fmt::Debug, sync::Arc};
use tracing::{
    Dispatch, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
    subscriber::DefaultGuard,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
};

/// A span of a call: of an app, or of a driver.
#[derive(Clone, Debug, Default)]
pub struct Span {
    pub name: &'static str,
    pub id: u64,
    pub parent: Option<u64>,
    trace: String,
    fields: BTreeMap<&'static str, String>,
}

impl Span {
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

impl Visit for Span {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "parent" {
            self.parent = Some(value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        if field.name() == "trace" {
            let mut parts = text.split('-').skip(1);
            self.trace = parts.next().unwrap_or_default().to_owned();
            let id = parts.next().and_then(|id| u64::from_str_radix(id, 16).ok());
            self.id = id.unwrap_or_default();
        }
        self.fields.insert(field.name(), text);
    }
}

/// All spans of this thread.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<Span>>>);

impl Recorder {
    /// Records until the guards are dropped.
    pub fn start() -> (Self, (DefaultGuard, Dispatch)) {
        let recorder = Recorder::default();
        // While there is one subscriber in the process, tracing asks that of the thread which comes to a span first,
        // and remembers its answer for all: a thread of another test has none. With two it asks both.
        let other = Dispatch::new(tracing_subscriber::registry());
        let subscriber = tracing_subscriber::registry().with(recorder.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        (recorder, (guard, other))
    }

    /// The spans of one trace, in the order in which they began.
    pub fn of_trace(&self, trace: &str) -> Vec<Span> {
        let spans = self.0.lock();
        let own = spans.iter().filter(|span| span.trace == trace);
        own.cloned().collect()
    }
}

impl<S: Subscriber> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut span = Span {
            name: attributes.metadata().name(),
            ..Span::default()
        };
        attributes.record(&mut span);
        let mut spans = self.0.lock();
        spans.push(span);
    }
}
