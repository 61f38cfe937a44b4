//! A guest's voice: its log records, stdout and stderr become the host's log, within a budget, one record a line.

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::{
    fmt::Write,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};
use wythe_blocks::{
    Logs, Meters, Tenant,
    text::{cut, escape},
    workflow::Context as Journal,
};
use wythe_manifest::Name;

/// Bytes of a message, of a field's value, and fields of a record.
const MESSAGE: usize = 64 << 10;
const VALUE: usize = 4 << 10;
const FIELDS: usize = 64;
/// Bytes of a line of stdout; a longer one is cut into several records.
const LINE: usize = 8 << 10;
/// Bytes of one write to stdout, so that one write is not very many records.
const WRITE: usize = 4 << 10;
/// Bytes that a record counts beside its text: what the host writes around it.
const RECORD: usize = 100;

/// One app's log.
pub struct Log {
    tenant: Name,
    app: Name,
    /// The last lines of the tenant.
    stored: Arc<Logs>,
    budget: Mutex<Budget>,
    meters: Arc<Meters>,
}

struct Budget {
    per_second: u64,
    left: u64,
    dropped: u64,
    since: Instant,
}

impl Log {
    /// A log with so many bytes a second; what is dropped is counted in the meters.
    pub fn new(tenant: &Tenant, app: Name, per_second: u64, meters: Arc<Meters>) -> Self {
        Log {
            meters,
            tenant: tenant.name().clone(),
            stored: tenant.logs.clone(),
            app,
            budget: Mutex::new(Budget {
                per_second,
                left: per_second,
                dropped: 0,
                since: Instant::now(),
            }),
        }
    }

    /// Writes one record. What is over the budget is dropped and counted, before it is looked at.
    pub fn record(&self, level: Level, trace: &str, message: &str, fields: &[(String, String)]) {
        let message = cut(message, MESSAGE);
        let fields = &fields[..fields.len().min(FIELDS)];
        let least =
            |(name, value): &(String, String)| name.len().min(VALUE) + value.len().min(VALUE);
        let least = message.len() + fields.iter().map(least).sum::<usize>();
        if !self.has_room((least + RECORD) as u64) {
            return;
        }
        let message = escape(message);
        let mut extra = String::new();
        for (name, value) in fields {
            let _ = write!(
                extra,
                " {}={}",
                escape(cut(name, VALUE)),
                escape(cut(value, VALUE))
            );
        }
        if self.spend((message.len() + extra.len() + RECORD) as u64) {
            self.emit(level, trace, &message, &extra);
        }
    }

    /// False where a record of at least so many bytes is dropped.
    fn has_room(&self, bytes: u64) -> bool {
        let mut budget = self.budget();
        let fits = bytes <= budget.left;
        if !fits {
            budget.dropped += 1;
            self.meters.log_dropped();
        }
        fits
    }

    fn spend(&self, bytes: u64) -> bool {
        let mut budget = self.budget();
        let fits = bytes <= budget.left;
        if fits {
            budget.left -= bytes;
        } else {
            budget.dropped += 1;
            self.meters.log_dropped();
        }
        fits
    }

    /// The budget that is left of this second.
    fn budget(&self) -> MutexGuard<'_, Budget> {
        let mut budget = self.budget.lock();
        if budget.since.elapsed() >= Duration::from_secs(1) {
            budget.since = Instant::now();
            budget.left = budget.per_second;
            let dropped = std::mem::take(&mut budget.dropped);
            if dropped > 0 {
                tracing::warn!(target: "wythe::guest", tenant = %self.tenant, app = %self.app, "{dropped} log records dropped: over the limit of {} bytes a second", budget.per_second);
            }
        }
        budget
    }

    fn emit(&self, level: Level, trace: &str, message: &str, extra: &str) {
        let (tenant, app) = (&self.tenant, &self.app);
        // The other levels are formatted by whoever reads them, if anybody does.
        let text = (level <= Level::INFO).then(|| format!("{message}{extra}"));
        let (message, extra) = match &text {
            Some(text) => (text.as_str(), ""),
            None => (message, extra),
        };
        if text.is_some() {
            self.stored.push(app, level.as_str(), trace, message);
        }
        macro_rules! report {
            ($level:ident) => {
                tracing::event!(target: "wythe::guest", Level::$level, %tenant, %app, trace, "{message}{extra}")
            };
        }
        match level {
            Level::ERROR => report!(ERROR),
            Level::WARN => report!(WARN),
            Level::INFO => report!(INFO),
            Level::DEBUG => report!(DEBUG),
            Level::TRACE => report!(TRACE),
        }
    }
}

/// Stdout or stderr of one instance: every line is a record.
#[derive(Clone)]
pub struct Output {
    log: Arc<Log>,
    level: Level,
    line: Arc<Mutex<Vec<u8>>>,
    journal: Option<Journal>,
}

impl Output {
    pub fn new(log: Arc<Log>, level: Level) -> Self {
        Output {
            log,
            level,
            line: Arc::default(),
            journal: None,
        }
    }

    /// Ties the log to a workflow: what it says while its journal is replayed has been said.
    pub fn once(mut self, journal: Journal) -> Self {
        self.journal = Some(journal);
        self
    }

    fn push(&self, bytes: &[u8]) {
        if let Some(journal) = &self.journal {
            journal.spend(bytes.len());
            if journal.is_replaying() {
                return;
            }
        }
        let mut line = self.line.lock();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            for chunk in text.chunks(LINE) {
                if line.len() + chunk.len() > LINE {
                    self.flush_line(&mut line);
                }
                line.extend_from_slice(chunk);
            }
            if ends {
                self.flush_line(&mut line);
            }
        }
    }

    fn flush_line(&self, line: &mut Vec<u8>) {
        if !line.is_empty() {
            self.log
                .record(self.level, "", &String::from_utf8_lossy(line), &[]);
            line.clear();
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if Arc::strong_count(&self.line) == 1 {
            let mut line = std::mem::take(&mut *self.line.lock());
            self.flush_line(&mut line);
        }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE)
    }
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(WRITE)];
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::Log;
    use std::time::{Duration, Instant};
    use wythe_blocks::{Meters, Settings, Shared, Tenant};

    #[test]
    fn what_is_over_the_budget_is_dropped_until_the_second_is_over() {
        let name: super::Name = "app".parse().expect("a good name");
        let tenant = Tenant::new(Settings::new(name.clone(), ""), &Shared::default());
        let meters = Meters::of_app(name.clone(), &name);
        let log = Log::new(&tenant, name, 100, meters);
        let begin = |since| log.budget.lock().since = since;
        let hour = Duration::from_secs(3_600);
        begin(Instant::now() + hour);
        assert!(log.spend(60));
        assert!(!log.spend(60));
        assert!(log.spend(40));
        begin(
            Instant::now()
                .checked_sub(Duration::from_secs(1))
                .expect("a past"),
        );
        assert!(log.spend(100));
    }
}
