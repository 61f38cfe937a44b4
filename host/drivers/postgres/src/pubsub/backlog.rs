//! The limit of what may wait. The number is counted in the database when it could matter, and estimated in between.

use super::sql::Sql;
use crate::{
    client::{Lent, column, number},
    fault::Fault,
};
use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;
use wythe_blocks::{Error, pubsub::Message};
use wythe_manifest::ByteSize;

const MESSAGES: u64 = 1_000_000;
const BYTES: u64 = 1 << 30;
/// Time for which a count is taken for good where little waits.
const FRESH: Duration = Duration::from_secs(1);
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Bytes that a message counts for beside its own.
const BESIDE: usize = 128;

/// The attributes of a message as they are stored.
pub(super) fn attributes(message: &Message) -> String {
    serde_json::to_string(&message.attributes).unwrap_or_default()
}

/// Bytes that a message counts for: those that are stored and sent, and some beside.
pub(super) fn size(message: &Message) -> u64 {
    let attributes = attributes(message).len();
    let key = message.ordering_key.as_ref().map_or(0, String::len);
    (BESIDE + message.data.len() + message.content_type.len() + key + attributes) as u64
}

/// Messages and bytes that may wait: of each topic those of its longest group count.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    messages: u64,
    bytes: u64,
}

impl Limit {
    pub fn new(messages: Option<u64>, bytes: Option<ByteSize>) -> Self {
        Limit {
            messages: messages.unwrap_or(MESSAGES),
            bytes: bytes.map_or(BYTES, u64::from),
        }
    }

    /// The error of a message that finds no room.
    fn full(&self, messages: u64, bytes: u64, more: u64) -> Option<Error> {
        let text = if messages >= self.messages {
            format!(
                "{messages} messages wait to be acknowledged; at most {} are kept; see `maxBacklog`",
                self.messages
            )
        } else if bytes.saturating_add(more) > self.bytes {
            format!(
                "messages of {bytes} bytes wait to be acknowledged, and this one has {more}; at most {} are kept; see `maxBacklogBytes`",
                self.bytes
            )
        } else {
            return None;
        };
        Some(Error::exhausted(text).with_retry_after(RETRY_AFTER))
    }
}

pub(super) struct Backlog {
    limit: Limit,
    counted: Mutex<Option<Counted>>,
}

#[derive(Clone, Copy)]
struct Counted {
    at: Instant,
    messages: u64,
    bytes: u64,
}

impl Counted {
    fn add(&mut self, messages: &[&Message]) {
        self.messages += messages.len() as u64;
        self.bytes += messages.iter().map(|message| size(message)).sum::<u64>();
    }
}

impl Backlog {
    pub fn new(limit: Limit) -> Self {
        let counted = Mutex::new(None);
        Backlog { limit, counted }
    }

    /// Takes room for messages of a topic, in order: how many have it, and the error of those that have not.
    pub async fn admit(
        &self,
        lent: &Lent,
        sql: &Sql,
        topic: &str,
        messages: &[&Message],
    ) -> Result<(usize, Option<Error>), Fault> {
        if self.is_little(messages) {
            return Ok((messages.len(), None));
        }
        let row = lent.one(&sql.publishing.counts, &[]).await?;
        let mut counted = Counted {
            at: Instant::now(),
            messages: number(&row, 0)?,
            bytes: number(&row, 1)?,
        };
        let mut full = None;
        let mut room = 0;
        for message in messages {
            full = self
                .limit
                .full(counted.messages, counted.bytes, size(message));
            if full.is_some() {
                break;
            }
            counted.add(&[message]);
            room += 1;
        }
        *self.counted.lock() = Some(counted);
        if full.is_some() && !is_wanted(lent, sql, topic).await? {
            return Ok((messages.len(), None));
        }
        Ok((room, full))
    }

    /// Returns whether a fresh count leaves half of the room and more.
    fn is_little(&self, messages: &[&Message]) -> bool {
        let mut counted = self.counted.lock();
        let Some(counted) = counted
            .as_mut()
            .filter(|counted| counted.at.elapsed() < FRESH)
        else {
            return false;
        };
        let mut more = *counted;
        more.add(messages);
        let is_little =
            more.messages < self.limit.messages / 2 && more.bytes < self.limit.bytes / 2;
        if is_little {
            *counted = more;
        }
        is_little
    }
}

/// Returns whether anybody wants messages of a topic: others need no room.
async fn is_wanted(lent: &Lent, sql: &Sql, topic: &str) -> Result<bool, Fault> {
    let row = lent.row(&sql.publishing.is_wanted, &[&topic]).await?;
    row.map_or(Ok(false), |row| column(&row, 0))
}
