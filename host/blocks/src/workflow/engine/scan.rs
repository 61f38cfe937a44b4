//! A walk over many rows: it ends when the host stops, and rests between pages once it is long.

use super::Engine;
use crate::{Result, pages::Pace, state::Entry as Row};
use std::time::{Duration, Instant};

pub(super) struct Scan<'a> {
    engine: &'a Engine,
    prefix: String,
    cursor: Option<String>,
    pace: Pace,
    rest: Duration,
    is_over: bool,
}

impl Engine {
    pub(super) fn scan(&self, prefix: String) -> Scan<'_> {
        Scan {
            engine: self,
            prefix,
            cursor: None,
            pace: Pace::default(),
            rest: Duration::ZERO,
            is_over: false,
        }
    }
}

impl Scan<'_> {
    /// Reads the rows of the next page, in order; none after the last, and none where the host stops.
    pub async fn next(&mut self) -> Result<Option<Vec<(String, Row)>>> {
        let (engine, rest) = (self.engine, self.rest);
        let goes_on = match rest.is_zero() {
            true => !engine.stopping().is_cancelled(),
            false => engine.pause(rest).await,
        };
        if self.is_over || !goes_on {
            return Ok(None);
        }
        let began = Instant::now();
        let page = engine.page(&self.prefix, self.cursor.as_deref());
        let page = page.await?;
        self.rest = self.pace.rest(began.elapsed());
        self.is_over = page.next.is_none();
        self.cursor = page.next;
        Ok(Some(page.entries))
    }
}
