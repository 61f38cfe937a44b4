//! The tasks that export: one for each receiver, so that none waits for another.

use crate::exporter::{Exporter, Failure};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Backoff, Rate, Tasks,
    spans::{self, Reader, Span},
    time::Clock as _,
};

/// Spans that wait for one receiver; more are lost and counted.
const QUEUE: usize = 4_096;
/// Spans of one request.
const BATCH: usize = 512;
/// The time for which a batch gathers.
const DELAY: Duration = Duration::from_secs(1);
/// Tries of one batch; then it is lost, and what came meanwhile has its turn.
const TRIES: u32 = 5;
/// Pauses between them.
const PAUSE: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));

/// The exporters that run.
#[derive(Default)]
pub struct Exporting {
    tasks: Tasks,
    /// Says until when the rest may be sent.
    end: Arc<std::sync::OnceLock<Instant>>,
}

/// One receiver with its queue.
struct Task {
    exporter: Exporter,
    reader: Reader,
    batch: Vec<Arc<Span>>,
    stop: CancellationToken,
    end: Arc<std::sync::OnceLock<Instant>>,
    complaints: Rate,
    lost: u64,
}

impl Exporting {
    pub fn start(exporters: Vec<Exporter>) -> Self {
        let exporting = Exporting::default();
        for exporter in exporters {
            let task = Task {
                exporter,
                reader: spans::read(QUEUE),
                batch: Vec::new(),
                stop: exporting.tasks.stopping(),
                end: exporting.end.clone(),
                complaints: Rate::per_minute(1),
                lost: 0,
            };
            exporting.tasks.spawn(task.run());
        }
        exporting
    }

    /// Sends what there is, for no longer than `limit`; what is left then is lost and counted.
    pub async fn close(self, limit: Duration) {
        let _ = self.end.set(Instant::now().after(limit));
        // The tasks keep the limit themselves, and count.
        self.tasks.stop(limit + DELAY).await;
    }
}

impl Task {
    async fn run(mut self) {
        while !self.stop.is_cancelled() {
            self.gather().await;
            self.send().await;
        }
        self.finish().await;
    }

    /// Waits for a span, and for a while for more of them.
    async fn gather(&mut self) {
        let mut end = None;
        while self.batch.len() < BATCH {
            let more = BATCH - self.batch.len();
            let pause = async {
                match end {
                    Some(end) => sleep_until(end).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = pause => return,
                _ = self.reader.take(&mut self.batch, more) => {}
            }
            end.get_or_insert_with(|| Instant::now() + DELAY);
        }
    }

    /// Sends the batch, again and again while that may help, unless the host stops.
    async fn send(&mut self) {
        for attempt in 1..=TRIES {
            if self.batch.is_empty() || self.stop.is_cancelled() {
                return;
            }
            let sent = tokio::select! {
                sent = self.exporter.send(&self.batch) => sent,
                () = self.stop.cancelled() => return,
            };
            let Err(failure) = self.sent(sent) else {
                return;
            };
            if !failure.is_passing || attempt == TRIES {
                self.lose(&failure);
                return;
            }
            self.complain(&failure);
            tokio::select! {
                () = tokio::time::sleep(PAUSE.after(attempt)) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Takes note of what became of the batch; a failure leaves it as it is.
    fn sent(&mut self, sent: Result<usize, Failure>) -> Result<(), Failure> {
        // A receiver may say anything.
        let refused = sent?.min(self.batch.len());
        self.batch.clear();
        if refused > 0 {
            self.count(refused);
            self.complain(&Failure::lasting(format!("it refused {refused} spans")));
        }
        Ok(())
    }

    /// Sends the rest, each batch once, until the end that was set.
    async fn finish(&mut self) {
        let end = self.end.get().copied().unwrap_or_else(Instant::now);
        loop {
            while self.batch.len() < BATCH {
                let Some(span) = self.reader.take_now() else {
                    break;
                };
                self.batch.push(span);
            }
            if self.batch.is_empty() {
                return;
            }
            let sent = timeout_at(end, self.exporter.send(&self.batch)).await;
            let sent = sent.unwrap_or_else(|_| Err(Failure::passing("the host stops")));
            if let Err(failure) = self.sent(sent) {
                // A receiver that does not take these takes no others.
                while let Some(span) = self.reader.take_now() {
                    self.batch.push(span);
                }
                self.lose(&failure);
                return;
            }
        }
    }

    fn lose(&mut self, failure: &Failure) {
        self.count(self.batch.len());
        self.batch.clear();
        self.complain(failure);
    }

    fn count(&mut self, lost: usize) {
        self.lost = self.lost.saturating_add(lost as u64);
        spans::count_unsent(lost);
    }

    /// Says once a minute what is wrong.
    fn complain(&self, failure: &Failure) {
        if self.complaints.allows().is_none() {
            return;
        }
        let (target, source) = self.exporter.target();
        let place = match source {
            Some(source) => format!("`tracing` at {source}"),
            None => "the variables OTEL_EXPORTER_OTLP_*".to_owned(),
        };
        let (words, lost) = (&failure.words, self.lost);
        tracing::warn!(
            "spans do not reach {target}: {words}; {lost} are lost so far, and nothing waits for it; see whether \
             the receiver runs, and {place}"
        );
    }
}
