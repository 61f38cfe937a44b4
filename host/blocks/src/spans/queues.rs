//! The queues of finished spans, one for each reader: a slow reader holds up neither a call nor another reader.

use super::{IS_ON, QUEUES, Span, UNQUEUED};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use std::sync::{Arc, atomic::Ordering::Relaxed};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// The writing ends of all queues.
#[derive(Default)]
pub(super) struct Queues {
    all: ArcSwap<Vec<Queue>>,
    /// Held by whoever changes the list and what says whether it is empty.
    changing: Mutex<u64>,
}

#[derive(Clone)]
struct Queue {
    number: u64,
    spans: Sender<Arc<Span>>,
}

/// The reading end of a queue.
pub struct Reader {
    number: u64,
    spans: Receiver<Arc<Span>>,
}

impl Queues {
    pub fn join(&self, capacity: usize) -> Reader {
        let (sender, spans) = mpsc::channel(capacity.max(1));
        let mut last = self.changing.lock();
        *last += 1;
        let number = *last;
        let mut all = Vec::clone(&self.all.load());
        all.push(Queue {
            number,
            spans: sender,
        });
        self.set(all);
        Reader { number, spans }
    }

    fn leave(&self, number: u64) {
        let _changing = self.changing.lock();
        let mut all = Vec::clone(&self.all.load());
        all.retain(|queue| queue.number != number);
        self.set(all);
    }

    fn set(&self, all: Vec<Queue>) {
        IS_ON.store(!all.is_empty(), Relaxed);
        self.all.store(Arc::new(all));
    }

    /// Gives a span to each reader, and waits for none.
    pub fn push(&self, span: Span) {
        let span = Arc::new(span);
        for queue in self.all.load().iter() {
            if queue.spans.try_send(span.clone()).is_err() {
                UNQUEUED.fetch_add(1, Relaxed);
            }
        }
    }
}

impl Reader {
    /// Waits for spans and takes at most `limit` of them.
    pub async fn take(&mut self, spans: &mut Vec<Arc<Span>>, limit: usize) -> usize {
        self.spans.recv_many(spans, limit).await
    }

    /// Takes a span that is there already.
    pub fn take_now(&mut self) -> Option<Arc<Span>> {
        self.spans.try_recv().ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        QUEUES.leave(self.number);
    }
}
