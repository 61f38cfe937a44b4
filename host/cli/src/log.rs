//! The log of the host and its guests on standard error: a line each, with the app's name in its colour.

mod filter;
mod queue;
mod rate;

use crate::{
    args::{Common, LogFormat},
    report::{is_coloured, paint},
};
pub use queue::Queue;

use filter::filter;
use rate::Rate;
use std::{
    fmt::{self, Write},
    io::{self, IsTerminal},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer as _,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::{FmtSpan, Writer},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};
use wythe_blocks::text::escape;

/// Digits of a trace id that are shown: enough to find one in a session.
const TRACE_DIGITS: usize = 8;
/// Two rounds of the terminal's own colours, without red (errors), black and white.
const COLOURS: [&str; 10] = ["36", "35", "34", "32", "33", "96", "95", "94", "92", "93"];

/// The time for the last lines, where somebody reads them slowly.
const PATIENCE: Duration = Duration::from_secs(2);

/// The queue of every line; absent where the system gives no thread for it.
static QUEUE: OnceLock<Option<Queue>> = OnceLock::new();

fn queue() -> Option<&'static Queue> {
    QUEUE
        .get_or_init(|| Queue::start(io::stderr()).ok())
        .as_ref()
}

/// Writes one line that is no event, after those before it.
pub fn line(text: &str) {
    Lane.take(format!("{text}\n").as_bytes());
    flush();
}

/// Passes a line of another process on, after those before it.
pub fn pass(line: &str) {
    Lane.take(line.as_bytes());
}

/// Waits for what was said to be written, within bounds.
pub fn flush() {
    if let Some(queue) = queue() {
        queue.flush(PATIENCE);
    }
}

/// The writer of one event, which never fails: an error here would be told on standard error, by a panic.
struct Lane;

impl Lane {
    fn take(&self, bytes: &[u8]) {
        match queue() {
            Some(queue) => queue.push(bytes),
            None => drop(io::Write::write_all(&mut io::stderr().lock(), bytes)),
        }
    }
}

impl io::Write for Lane {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logging for the whole process; an error where `WYTHE_LOG` is no filter.
#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
pub fn start(common: &Common, is_each_request: bool) -> Result<(), String> {
    let text = std::env::var_os("WYTHE_LOG").map(|text| text.to_string_lossy().into_owned());
    let text = text.as_deref().filter(|text| !text.is_empty());
    let filter = filter(common, text, is_each_request)?;
    let spans = match common.verbose {
        0 => FmtSpan::NONE,
        _ => FmtSpan::CLOSE,
    };
    let layer = tracing_subscriber::fmt::layer().with_writer(|| Lane);
    // Colours are those of the lines; the fields of a call are text, and are escaped.
    let layer = layer.with_span_events(spans).with_ansi(false);
    let layer = match common.log_format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Text => layer.event_format(Lines::new()).boxed(),
    };
    let layers = tracing_subscriber::registry().with(filter);
    layers.with(Rate::default()).with(layer).init();
    Ok(())
}

/// One line an event: when, how grave, who, what.
struct Lines {
    coloured: bool,
    /// Somebody looks at the lines as they come, and knows which day it is.
    is_watched: bool,
    /// The length of the longest app id so far, so that messages stand below each other.
    width: AtomicUsize,
}

impl Lines {
    fn new() -> Self {
        Lines {
            coloured: is_coloured(&io::stderr()),
            is_watched: io::stderr().is_terminal(),
            width: AtomicUsize::new(8),
        }
    }

    fn guest(&self, writer: &mut Writer<'_>, level: Level, record: &Record) -> fmt::Result {
        // The one tenant of a project is not worth a word.
        let app = &match record.tenant.as_str() {
            "" | "default" => record.app.clone(),
            tenant => format!("{tenant}/{}", record.app),
        };
        let width = self.width.fetch_max(app.len(), Relaxed).max(app.len());
        let name = paint(self.coloured, colour_of(app), &format!("{app:width$}"));
        write!(writer, "{name} | {}{}", self.level(level), record.message)?;
        writer.write_str(&record.extra)?;
        match record.trace.as_str() {
            "" => Ok(()),
            trace => {
                let trace = paint(self.coloured, "2", &format!("trace={trace}"));
                write!(writer, "  {trace}")
            }
        }
    }

    fn host(&self, writer: &mut Writer<'_>, level: Level, record: &Record) -> fmt::Result {
        write!(
            writer,
            "{}{}{}",
            self.level(level),
            record.message,
            record.extra
        )?;
        for (name, value) in [
            ("tenant", &record.tenant),
            ("app", &record.app),
            ("trace", &record.trace),
        ] {
            if !value.is_empty() {
                write!(writer, " {name}={value}")?;
            }
        }
        Ok(())
    }

    /// The time in UTC.
    fn time(&self) -> String {
        let now = chrono::Utc::now();
        match self.is_watched {
            true => paint(self.coloured, "2", &now.format("%H:%M:%S%.3fZ").to_string()),
            false => now.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        }
    }

    fn level(&self, level: Level) -> String {
        let colour = match level {
            Level::ERROR => "31",
            Level::WARN => "33",
            _ => "2",
        };
        let level = level.as_str();
        paint(self.coloured, colour, &format!("{level:5} "))
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut record = Record::default();
        event.record(&mut record);
        let level = *event.metadata().level();
        write!(writer, "{} ", self.time())?;
        if event.metadata().is_span() {
            record.message = ended(context);
        }
        if event.metadata().target() == "wythe::guest" {
            self.guest(&mut writer, level, &record)?;
        } else {
            self.host(&mut writer, level, &record)?;
        }
        writeln!(writer)
    }
}

/// The words for a call that has ended: its name and fields. The event itself has only the time that it took.
fn ended<S, N>(context: &FmtContext<'_, S, N>) -> String
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let Some(span) = context.event_scope().and_then(|mut scope| scope.next()) else {
        return String::new();
    };
    let extensions = span.extensions();
    let fields = extensions.get::<FormattedFields<N>>();
    let fields = fields.map_or("", |fields| fields.fields.as_str());
    format!("{} {}", span.name(), escape(fields))
}

/// An app has the same colour in every session.
fn colour_of(app: &str) -> &'static str {
    let sum = app.bytes().fold(7usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    COLOURS[sum % COLOURS.len()]
}

/// The fields of an event.
#[derive(Default)]
struct Record {
    tenant: String,
    app: String,
    trace: String,
    message: String,
    extra: String,
}

impl Record {
    fn set(&mut self, name: &str, value: String) {
        // Names, causes and messages may be somebody else's.
        let value = escape(&value).into_owned();
        match name {
            "tenant" => self.tenant = value,
            "app" => self.app = value,
            "message" => self.message = value,
            // Of a W3C trace parent, `00-<trace>-<span>-01`, the beginning of the trace.
            "trace" => {
                let id = value.split('-').nth(1).unwrap_or(&value);
                self.trace = id.chars().take(TRACE_DIGITS).collect();
            }
            _ => {
                let _ = write!(self.extra, " {name}={value}");
            }
        }
    }
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field.name(), format!("{value:?}"));
    }
}
