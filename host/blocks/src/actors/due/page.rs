//! A page of rows of times, as the parts of it that are of one shard each.

use super::Reading;
use crate::Shard;
use crate::actors::store::rows;
use std::time::Duration;

/// The part of a page that is of one shard.
pub(super) struct Segment {
    pub shard: Shard,
    /// Keys after `from`, up to `last`, were read.
    pub from: String,
    pub last: String,
    /// Says that nothing after `last` is due.
    pub is_over: bool,
    /// Says that a row was seen, due or not.
    has_rows: bool,
    /// Time until the next row is due, if one was seen.
    pub left: Option<Duration>,
}

impl Segment {
    fn new(shard: Shard, from: String) -> Self {
        Segment {
            shard,
            last: from.clone(),
            from,
            is_over: false,
            has_rows: false,
            left: None,
        }
    }

    /// A shard of which nothing is read yet.
    fn begin(shard: Shard) -> Self {
        Self::new(shard, rows::shard_of("due", shard))
    }

    fn closed(mut self) -> Self {
        self.is_over = true;
        self
    }

    /// Says whether the shard has rows, if that is known: those before the page were not seen.
    pub fn is_filled(&self) -> Option<bool> {
        let is_whole = self.from == rows::shard_of("due", self.shard);
        match self.has_rows {
            true => Some(true),
            false => is_whole.then_some(false),
        }
    }

    fn has(&self, key: &str) -> bool {
        key.starts_with(&rows::shard_of("due", self.shard))
    }
}

pub(super) struct Page {
    pub segments: Vec<Segment>,
    /// Keys that are none of a row of times.
    pub unreadable: usize,
}

/// Reads the keys in order; `file` gets type, key, shard and the key before it of each row that is due.
pub(super) fn read(
    reading: &Reading,
    keys: &[String],
    next: Option<&str>,
    now: u64,
    mut file: impl FnMut(&str, &str, Shard, &str),
) -> Page {
    let mut page = Page {
        segments: Vec::new(),
        unreadable: 0,
    };
    let mut current = Segment::new(reading.shard, reading.from.clone());
    for key in keys {
        let Some(row) = rows::parse_due(key) else {
            page.unreadable += 1;
            if current.has(key) && !current.is_over {
                current.last.clone_from(key);
            }
            continue;
        };
        if row.shard != current.shard {
            page.close(current, row.shard);
            current = Segment::begin(row.shard);
        }
        current.has_rows = true;
        if row.due > now {
            let left = Duration::from_millis(row.due - now);
            current.left = current.left.or(Some(left));
            current.is_over = true;
        } else if !current.is_over {
            file(row.kind, key, row.shard, &current.last);
            current.last.clone_from(key);
        }
    }
    page.finish(reading, current, next);
    page
}

impl Page {
    /// Every shard before `until` has no more rows.
    fn close(&mut self, current: Segment, until: Shard) {
        let mut shard = current.shard.next();
        self.segments.push(current.closed());
        while let Some(empty) = shard.filter(|shard| *shard < until) {
            self.segments.push(Segment::begin(empty).closed());
            shard = empty.next();
        }
    }

    fn finish(&mut self, reading: &Reading, mut current: Segment, next: Option<&str>) {
        match next {
            None if !reading.is_wide() => self.segments.push(current.closed()),
            None => {
                let last = current.shard;
                self.close(current, Shard::LAST);
                if last != Shard::LAST {
                    self.segments.push(Segment::begin(Shard::LAST).closed());
                }
            }
            Some(next) => {
                match current.has(next) {
                    true if !current.is_over => current.last = current.last.max(next.to_owned()),
                    true => {}
                    false => current.is_over = true,
                }
                self.segments.push(current);
            }
        }
    }
}
