//! Journals as they are read: link by link, so that nothing of a changed one is believed.

use super::Engine;
use crate::workflow::{
    core::{
        entry::{self, Entry, Hash},
        names,
    },
    store::keys,
};
use crate::{Error, Result};
use bytes::Bytes;

/// An instance's journal, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    pub entries: Vec<Entry>,
    /// The reason why the journal is not to be believed; the entries are those before that.
    pub broken: Option<String>,
    /// The entry at which the next page begins.
    pub next: Option<u32>,
}

/// Entries up to the first that is not what it should be, and why it is not.
pub(super) struct Journal {
    pub entries: Vec<Entry>,
    pub broken: Option<String>,
    /// The last entry's hash.
    tip: Hash,
}

impl Journal {
    fn length(&self) -> u32 {
        self.entries.len() as u32
    }

    /// The next entry as it is kept; false, with the reason, where it is missing or does not follow.
    fn add(&mut self, stored: Option<&Bytes>) -> bool {
        let index = self.length();
        let fault = match stored.map(|stored| Entry::decode(stored, &self.tip, index)) {
            Some(Some((entry, tip))) => {
                self.entries.push(entry);
                self.tip = tip;
                return true;
            }
            Some(None) => format!("entry {index} does not fit its hash"),
            None => format!("entry {index} is missing"),
        };
        self.broken = Some(fault);
        false
    }
}

impl Engine {
    /// The first `length` entries of a run; `hash` is the last one's.
    pub(super) async fn journal(
        &self,
        id: &str,
        run: u32,
        length: u32,
        hash: &Hash,
    ) -> Result<Journal> {
        let mut journal = Journal {
            entries: Vec::new(),
            broken: None,
            tip: entry::origin(self.tenant.as_str(), id, run),
        };
        let prefix = keys::history(id, run);
        let mut cursor: Option<String> = None;
        while journal.length() < length {
            let page = self.page(&prefix, cursor.as_deref()).await?;
            for (key, row) in page.entries {
                if journal.length() == length {
                    break;
                }
                let is_next = key == keys::entry(id, run, journal.length());
                if !journal.add(is_next.then_some(&row.value)) {
                    return Ok(journal);
                }
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        if journal.length() < length {
            journal.add(None);
        } else if journal.tip != *hash {
            let last = length.saturating_sub(1);
            journal.broken = Some(format!("entry {last} does not fit its hash"));
        }
        Ok(journal)
    }

    /// One entry, without a look at those before it.
    pub(super) async fn read_entry(&self, id: &str, run: u32, index: u32) -> Result<Option<Entry>> {
        let key = keys::entry(id, run, index);
        let stored = self.internal_store.get(&self.caller(), &key).await?;
        Ok(stored.and_then(|stored| Entry::read(&stored.value)))
    }

    /// Entries of the current journal, from an index on.
    pub async fn history(&self, id: &str, from: u32, limit: usize) -> Result<History> {
        let (meta, _) = self.meta(id).await?.ok_or_else(|| unknown(id))?;
        let journal = self.journal(id, meta.run, meta.next, &meta.hash).await?;
        let all = journal.entries.len();
        let entries = journal.entries.into_iter().skip(from as usize).take(limit);
        let entries: Vec<_> = entries.collect();
        let end = from as usize + entries.len();
        Ok(History {
            next: (end < all && !entries.is_empty()).then_some(end as u32),
            entries,
            broken: journal.broken,
        })
    }
}

pub(super) fn unknown(id: &str) -> Error {
    Error::not_found(format!(
        "there is no workflow instance `{}`",
        names::shown(id)
    ))
}
