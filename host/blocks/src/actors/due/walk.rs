//! The walk over all rows, and the rests of whoever has pages read.

use super::page::Segment;
use crate::{Backoff, Shard, actors::store::rows, pages::Pace, time::Clock as _};
use std::time::{Duration, Instant};

/// Time until the second walk; it doubles with each.
const WALKS: Backoff = Backoff::SLOW;

/// The walk over all rows.
pub(super) struct Walk {
    pub shard: Shard,
    /// The key after which rows are not read yet.
    pub cursor: String,
    pub is_on: bool,
    pub again: Instant,
    pause: Backoff,
    pub rest: Rest,
}

impl Walk {
    pub fn new() -> Self {
        Walk {
            shard: Shard::FIRST,
            cursor: rows::shard_of("due", Shard::FIRST),
            is_on: true,
            again: Instant::now(),
            pause: WALKS,
            rest: Rest::new(),
        }
    }

    /// Goes on after the page, and with the next shard where the rest of this one is not due.
    pub fn advance(&mut self, segments: &[Segment], next: Option<&str>, now: Instant) {
        let last = segments.last();
        let resume = match (last, next) {
            (Some(last), Some(_)) if last.is_over => last.shard.next().map(|shard| {
                let begin = rows::shard_of("due", shard);
                (shard, begin)
            }),
            (Some(last), Some(next)) => Some((last.shard, last.last.clone().max(next.to_owned()))),
            _ => None,
        };
        if let Some((shard, cursor)) = resume {
            (self.shard, self.cursor) = (shard, cursor);
            return;
        }
        (self.shard, self.cursor) = (Shard::FIRST, rows::shard_of("due", Shard::FIRST));
        self.is_on = false;
        self.rest.pace.end();
        self.again = now.after(self.pause.fail());
    }
}

/// The rests between the pages that are read for one app, or for the walk: whoever reads much waits for himself.
pub(super) struct Rest {
    pub pace: Pace,
    /// The end of the rest, if there was a page.
    until: Option<Instant>,
}

impl Rest {
    pub fn new() -> Self {
        Rest {
            pace: Pace::default(),
            until: None,
        }
    }

    /// A page was read, which took so long.
    pub fn add(&mut self, took: Duration, now: Instant) {
        self.until = Some(now.after(self.pace.rest(took)));
    }

    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    pub fn until(&self, now: Instant) -> Instant {
        self.until.unwrap_or(now)
    }
}
