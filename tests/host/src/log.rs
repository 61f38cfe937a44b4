//! The log of the hosts of this process: what it says about a request that was refused, by the trace of the answer.

use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, fmt::Debug, sync::OnceLock};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// Listens from now on, for the whole process.
pub fn listen() {
    // Where somebody else listens already, there are no details to read.
    let _ = tracing::subscriber::set_global_default(Ear);
}

/// The text that was said about the request with this trace.
pub fn about(trace: &str) -> Option<String> {
    said().get(trace).cloned()
}

fn said() -> MutexGuard<'static, HashMap<String, String>> {
    static SAID: OnceLock<Mutex<HashMap<String, String>>> = OnceLock::new();
    SAID.get_or_init(Mutex::default).lock()
}

struct Ear;

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.is_event()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        // A guest's own lines have a trace, too, and no kind.
        if let (Some(trace), true) = (line.trace, line.has_kind) {
            said().insert(trace, line.message);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Line {
    trace: Option<String>,
    has_kind: bool,
    message: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "trace" => self.trace = Some(value.to_owned()),
            "kind" => self.has_kind = true,
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}
