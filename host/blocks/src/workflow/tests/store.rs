//! A store of rows by key, with versions and conditions, which looks at every write for what no write may do.

use crate::{
    Error, Result,
    state::{Condition, Operation},
    workflow::core::meta::Meta,
};
use bytes::Bytes;
use std::collections::BTreeMap;

const RECORD: &str = "||workflow||instance||";
const JOURNAL: &str = "||workflow||history||";

#[derive(Default)]
pub(super) struct Store {
    rows: BTreeMap<String, (Bytes, u64)>,
    versions: u64,
    /// Things that writes did and that none may do.
    pub faults: Vec<String>,
}

impl Store {
    pub fn get(&self, key: &str) -> Option<(Bytes, String)> {
        let (value, version) = self.rows.get(key)?;
        Some((value.clone(), version.to_string()))
    }

    pub fn meta(&self, id: &str) -> Option<(Meta, String)> {
        let (value, version) = self.get(&format!("{RECORD}{id}"))?;
        Some((Meta::decode(&value).expect("a record"), version))
    }

    pub fn list(&self, prefix: &str) -> Vec<(String, Bytes)> {
        let from = self.rows.range(prefix.to_owned()..);
        let rows = from.take_while(|(key, _)| key.starts_with(prefix));
        rows.map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect()
    }

    fn holds(&self, key: &str, condition: &Condition) -> bool {
        let found = self.rows.get(key).map(|(_, version)| version.to_string());
        match condition {
            Condition::Always => true,
            Condition::Absent => found.is_none(),
            Condition::Matches(version) => found.as_ref() == Some(version),
        }
    }

    /// All of the operations, or none; the version of the last put.
    pub fn transact(&mut self, operations: &[Operation]) -> Result<String> {
        let holds = |operation: &Operation| match operation {
            Operation::Put(put) => self.holds(&put.key, &put.options.condition),
            Operation::Delete(delete) => self.holds(&delete.key, &delete.condition),
        };
        if !operations.iter().all(holds) {
            return Err(Error::conflict("the entry has changed"));
        }
        let mut version = String::new();
        for operation in operations {
            match operation {
                Operation::Put(put) => {
                    self.look_at(&put.key, &put.value);
                    self.versions += 1;
                    version = self.versions.to_string();
                    let row = (put.value.clone(), self.versions);
                    self.rows.insert(put.key.to_string(), row);
                }
                Operation::Delete(delete) => {
                    self.rows.remove(delete.key.whole());
                }
            }
        }
        Ok(version)
    }

    /// A journal grows only at its end, and a record goes on from the one before it.
    fn look_at(&mut self, key: &str, value: &Bytes) {
        if key.starts_with(JOURNAL)
            && let Some((old, _)) = self.rows.get(key)
            && old != value
        {
            self.faults.push(format!("`{key}` is written again"));
        }
        let Some(id) = key.strip_prefix(RECORD) else {
            return;
        };
        let new = Meta::decode(value).expect("a record");
        if let Some((old, _)) = self.meta(id) {
            let goes_on = match new.run.cmp(&old.run) {
                std::cmp::Ordering::Less => false,
                std::cmp::Ordering::Equal => new.next >= old.next && !old.status.has_ended(),
                std::cmp::Ordering::Greater => true,
            };
            if !goes_on {
                self.faults.push(format!("the record of `{id}` goes back"));
            }
        }
        let last = format!(
            "{JOURNAL}{id}||{:08}||{:08}",
            new.run,
            new.next.saturating_sub(1)
        );
        let hash = self.rows.get(&last).map(|(entry, _)| entry.slice(..32));
        if hash.as_deref() != Some(&new.hash[..]) {
            self.faults
                .push(format!("the record of `{id}` does not fit its journal"));
        }
    }
}
