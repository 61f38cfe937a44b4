//! The newest spans of the process, for whoever looks at them. They are gathered from the first look on, until nobody has
//! looked for two minutes: a host that is not looked at holds none.

use super::{Reader, Span, read};
use crate::{Tasks, time::Clock as _};
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// The spans that are held; the oldest go first.
const SPANS: usize = 10_000;
/// The bytes that they have in all.
const BYTES: usize = 8 << 20;
/// Spans that wait until they are gathered.
const QUEUE: usize = 4_096;
/// Spans that are gathered at once.
const BATCH: usize = 512;
/// The time after a look until the spans are let go.
const LOOK: Duration = Duration::from_secs(120);

/// The spans of a host, as long as somebody looks.
#[derive(Default)]
pub struct Recent(Arc<Mutex<Option<Held>>>);

/// Spans in the order in which they ended.
struct Held {
    spans: VecDeque<Arc<Span>>,
    bytes: usize,
    until: Instant,
}

impl Recent {
    /// The spans that are held, the one that ended first at the front. The first look begins to gather, and finds nothing.
    pub fn look(&self, tasks: &Tasks) -> Vec<Arc<Span>> {
        let until = Instant::now().after(LOOK);
        let mut open = self.0.lock();
        if let Some(held) = &mut *open {
            held.until = until;
            return held.spans.iter().cloned().collect();
        }
        *open = Some(Held::new(until));
        let (held, stop) = (self.0.clone(), tasks.stopping());
        let reader = read(QUEUE);
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = gather(&held, reader) => {}
            }
            *held.lock() = None;
        });
        Vec::new()
    }
}

/// Gathers until nobody looks any more.
async fn gather(held: &Mutex<Option<Held>>, mut reader: Reader) {
    let mut batch = Vec::new();
    loop {
        let until = held.lock().as_ref().map(|held| held.until);
        let Some(until) = until else {
            return;
        };
        tokio::select! {
            biased;
            () = sleep_until(until) => {
                // A look may have come meanwhile.
                if held.lock().as_ref().is_none_or(|held| held.until <= until) {
                    return;
                }
            }
            _ = reader.take(&mut batch, BATCH) => {
                if let Some(held) = &mut *held.lock() {
                    batch.drain(..).for_each(|span| held.push(span));
                }
            }
        }
    }
}

impl Held {
    fn new(until: Instant) -> Self {
        Held {
            spans: VecDeque::new(),
            bytes: 0,
            until,
        }
    }

    fn push(&mut self, span: Arc<Span>) {
        self.bytes += span.bytes();
        self.spans.push_back(span);
        while self.spans.len() > SPANS || self.bytes > BYTES {
            let Some(oldest) = self.spans.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::*, *};
    use crate::Trace;
    use std::time::SystemTime;

    fn span(path: &str) -> Span {
        Span {
            trace: Trace::start(),
            role: Role::Server,
            tenant: "shop".parse().unwrap(),
            app: "cart".parse().unwrap(),
            work: Work::App {
                kind: "http",
                about: About::http("GET", path),
            },
            start: SystemTime::now(),
            took: Duration::ZERO,
            ended: Ended::Well,
        }
    }

    #[test]
    fn the_newest_are_held_within_number_and_bytes() {
        let mut held = Held::new(Instant::now());
        let first = Arc::new(span("/first"));
        held.push(first.clone());
        for _ in 0..SPANS {
            held.push(Arc::new(span("/")));
        }
        assert_eq!(held.spans.len(), SPANS);
        assert!(held.spans.iter().all(|one| one.trace != first.trace));
        // Of a name that somebody made as long as he could there are fewer.
        let long = Arc::new(Span {
            work: Work::App {
                kind: "event",
                about: About::Topic {
                    component: Some("c".repeat(BYTES / 100)),
                    topic: String::new(),
                },
            },
            ..span("/")
        });
        for _ in 0..1_000 {
            held.push(long.clone());
        }
        assert!(held.bytes <= BYTES && held.spans.len() < 100);
        let counted: usize = held.spans.iter().map(|span| span.bytes()).sum();
        assert_eq!(counted, held.bytes);
    }

    /// Waits until it is so; other tests of this process end spans, too.
    async fn wait(is_so: impl Fn() -> bool) {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn spans_are_gathered_while_somebody_looks() {
        let (recent, tasks) = (Recent::default(), Tasks::default());
        let seen = |trace: Trace| {
            let all = recent.look(&tasks);
            all.iter().any(|span| span.trace == trace)
        };
        assert!(recent.look(&tasks).is_empty());
        let one = span("/");
        let trace = one.trace;
        begin(|| true, || one).end(None, None);
        wait(|| seen(trace)).await;
        // Each look is good for two minutes.
        tokio::time::sleep(LOOK / 2).await;
        assert!(seen(trace));
        tokio::time::sleep(LOOK * 3 / 4).await;
        assert!(seen(trace));
        tokio::time::sleep(LOOK * 2).await;
        wait(|| recent.0.lock().is_none()).await;
        assert!(!seen(trace));
        tasks.stop(Duration::from_secs(60)).await;
        wait(|| recent.0.lock().is_none()).await;
    }
}
