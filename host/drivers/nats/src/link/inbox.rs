//! A place for messages that come by themselves, as the answers to a request of several.

use super::Link;
use crate::wire::Incoming;
use parking_lot::Mutex;
use std::{collections::VecDeque, io, sync::Arc};
use tokio::sync::Notify;

/// Bytes and number of messages that wait in one inbox. Whoever asks for messages asks for fewer.
const BYTES: usize = 96 << 20;
const COUNT: usize = 20_000;
/// Bytes that a message takes beside its texts and its data.
const EACH: usize = 200;

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    arrival: Notify,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Incoming>,
    bytes: usize,
    has_ended: bool,
}

fn size(message: &Incoming) -> usize {
    let texts = message.subject.len() + message.reply.len() + message.headers.len();
    EACH + texts + message.data.len()
}

impl Queue {
    pub fn push(&self, message: Incoming) -> io::Result<()> {
        let mut state = self.state.lock();
        state.bytes += size(&message);
        if state.bytes > BYTES || state.messages.len() >= COUNT {
            return Err(io::Error::other("the server sends more than was asked for"));
        }
        state.messages.push_back(message);
        drop(state);
        self.arrival.notify_one();
        Ok(())
    }

    pub fn end(&self) {
        self.state.lock().has_ended = true;
        self.arrival.notify_one();
    }

    /// The next message, or that there is none; an error where none comes any more.
    fn pop(&self) -> Result<Option<Incoming>, Ended> {
        let mut state = self.state.lock();
        let Some(message) = state.messages.pop_front() else {
            return if state.has_ended {
                Err(Ended)
            } else {
                Ok(None)
            };
        };
        state.bytes -= size(&message);
        Ok(Some(message))
    }
}

/// The connection is over.
#[derive(Debug)]
pub(crate) struct Ended;

/// An inbox, which is closed when it is dropped.
pub(crate) struct Inbox {
    link: Link,
    sid: u64,
    prefix: String,
    queue: Arc<Queue>,
}

impl Inbox {
    pub(super) fn new(link: Link, sid: u64, prefix: String, queue: Arc<Queue>) -> Self {
        Inbox {
            link,
            sid,
            prefix,
            queue,
        }
    }

    pub fn link(&self) -> &Link {
        &self.link
    }

    /// The subject of the answers to a request of this number.
    pub fn subject(&self, number: u64) -> String {
        format!("{}.{number}", self.prefix)
    }

    /// Waits for messages, and takes all that have come. Dropping the future loses none.
    pub async fn next(&self) -> Result<Vec<Incoming>, Ended> {
        loop {
            let first = self.queue.pop()?;
            let all: Vec<_> = first.into_iter().chain(self.rest()).collect();
            if !all.is_empty() {
                return Ok(all);
            }
            self.queue.arrival.notified().await;
        }
    }

    fn rest(&self) -> impl Iterator<Item = Incoming> {
        std::iter::from_fn(|| self.queue.pop().ok().flatten())
    }

    /// Lets nothing more come, and returns what has come until then.
    pub async fn finish(&self) -> Vec<Incoming> {
        self.link.stop(self.sid);
        // What was on its way comes before the answer.
        let _ = self.link.flush().await;
        self.rest().collect()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.link.close(self.sid);
    }
}
