//! A walk over many rows: it ends when the host stops, and rests between pages once it is long, so that a store which
//! never comes to an end takes no more than a part of one core.

use super::engine::Engine;
use crate::{Result, state::Entry as Row};
use std::time::{Duration, Instant};

/// Pages that are read without a rest: 16,000 rows.
const AT_ONCE: u32 = 32;
/// After a page: so many times as long as it took, and no shorter and no longer than these.
const REST: u32 = 3;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1);

pub(super) struct Scan<'a> {
    engine: &'a Engine,
    prefix: String,
    cursor: Option<String>,
    pages: u32,
    rest: Duration,
    is_over: bool,
}

impl Engine {
    pub(super) fn scan(&self, prefix: String) -> Scan<'_> {
        Scan {
            engine: self,
            prefix,
            cursor: None,
            pages: 0,
            rest: Duration::ZERO,
            is_over: false,
        }
    }
}

impl Scan<'_> {
    /// The rows of the next page, in order; none after the last, and none where the host stops.
    pub async fn next(&mut self) -> Result<Option<Vec<(String, Row)>>> {
        if self.is_over || self.pages >= AT_ONCE && !self.engine.pause(self.rest).await {
            return Ok(None);
        }
        if self.engine.stopping().is_cancelled() {
            return Ok(None);
        }
        let began = Instant::now();
        let page = self
            .engine
            .page(&self.prefix, self.cursor.as_deref())
            .await?;
        self.rest = (began.elapsed() * REST).clamp(SHORTEST, LONGEST);
        self.pages = self.pages.saturating_add(1);
        self.is_over = page.next.is_none();
        self.cursor = page.next;
        Ok(Some(page.entries))
    }
}
