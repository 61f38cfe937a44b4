//! One page of a list: which keys belong to it, and where the next one begins.

use crate::shared::state::record::Record;
use std::ops::{Bound, ControlFlow};
use wythe_blocks::{
    Error, Result,
    state::{MAX_ANSWER, Page},
};

/// A page ends early beyond this, so that a list of big values cannot fill the memory.
const MAX_BYTES: usize = MAX_ANSWER;

/// Takes entries in the order of their keys until the page is full.
pub(crate) struct Builder<'a> {
    prefix: &'a str,
    limit: usize,
    now: u64,
    bytes: usize,
    page: Page,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(prefix: &'a str, limit: u32, now: u64) -> Result<Self> {
        if limit == 0 {
            return Err(Error::invalid(
                "the limit of a list is 0; expected at least 1",
            ));
        }
        Ok(Builder {
            prefix,
            limit: limit as usize,
            now,
            bytes: 0,
            page: Page::default(),
        })
    }

    /// Offers the next entry; breaks when no further one is of use.
    pub(crate) fn offer(&mut self, key: &str, record: &Record) -> ControlFlow<()> {
        if !key.starts_with(self.prefix) {
            return ControlFlow::Break(());
        }
        if record.version.is_over(|| self.now) {
            return ControlFlow::Continue(());
        }
        if self.page.entries.len() == self.limit || self.bytes >= MAX_BYTES {
            // Set only when there is one more, so that the last page says that it is the last.
            self.page.next = self.page.entries.last().map(|(key, _)| key.clone());
            return ControlFlow::Break(());
        }
        self.bytes += record.value.len();
        self.page.entries.push((key.to_owned(), record.entry()));
        ControlFlow::Continue(())
    }

    pub(crate) fn finish(self) -> Page {
        self.page
    }
}

/// The first key that can be of the page.
pub(crate) fn start<'a>(prefix: &'a str, cursor: Option<&'a str>) -> Bound<&'a str> {
    match cursor {
        Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
        _ => Bound::Included(prefix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::state::record::Version;
    use bytes::Bytes;

    fn record(expires: Option<u64>, size: usize) -> Record {
        Record {
            version: Version {
                etag: 1,
                expires,
                fence: None,
            },
            content_type: None,
            value: Bytes::from(vec![0; size]),
        }
    }

    fn keys(page: &Page) -> Vec<&str> {
        page.entries.iter().map(|(key, _)| key.as_str()).collect()
    }

    #[test]
    fn the_last_page_has_no_next() {
        let mut builder = Builder::new("a", 2, 10).unwrap();
        assert!(builder.offer("a1", &record(None, 1)).is_continue());
        assert!(builder.offer("a2", &record(Some(10), 1)).is_continue());
        assert!(builder.offer("a3", &record(Some(11), 1)).is_continue());
        assert!(builder.offer("b", &record(None, 1)).is_break());
        let page = builder.finish();
        assert_eq!(
            (keys(&page), page.next.as_deref()),
            (vec!["a1", "a3"], None)
        );
    }

    #[test]
    fn a_full_page_names_its_last_key() {
        let mut builder = Builder::new("", 1, 0).unwrap();
        assert!(builder.offer("a", &record(None, 1)).is_continue());
        assert!(builder.offer("b", &record(None, 1)).is_break());
        assert_eq!(builder.finish().next.as_deref(), Some("a"));
    }

    #[test]
    fn big_values_end_a_page_early() {
        let mut builder = Builder::new("", 100, 0).unwrap();
        let big = record(None, MAX_BYTES);
        assert!(builder.offer("a", &big).is_continue());
        assert!(builder.offer("b", &big).is_break());
        assert_eq!(keys(&builder.finish()), ["a"]);
    }

    #[test]
    fn a_cursor_before_the_prefix_skips_nothing() {
        assert_eq!(start("b", Some("a")), Bound::Included("b"));
        assert_eq!(start("b", Some("b")), Bound::Excluded("b"));
        assert_eq!(start("b", None), Bound::Included("b"));
    }
}
