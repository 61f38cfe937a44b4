//! Writes that operations come to: the server takes each key once, so that those on one key become one write, which follows
//! the row as it was found.

use super::record::Record;
use crate::space::Row;
use bytes::Bytes;
use std::{collections::HashMap, time::Duration};
use wythe_blocks::{
    Error, Key, Result,
    state::{Condition, Operation},
    time::NEVER,
};

/// A row as it was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub revision: i64,
    /// The entry; none where there is none, or its time is over.
    pub entry: Option<Record>,
}

impl Found {
    pub fn of(row: Row, key: &Key) -> Result<Self> {
        let revision = row.revision;
        let entry = match row.value {
            None => None,
            Some(value) => Some(Record::decode(value).ok_or_else(|| strange(key))?),
        };
        Ok(Found {
            revision,
            entry: entry.filter(|entry| !entry.is_over()),
        })
    }
}

fn strange(key: &Key) -> Error {
    Error::invalid(format!(
        "`{}` is a row in the server that is no entry: somebody else wrote it, or Dapr's first layout (`version: v1`); delete it there, or use another `keyPrefixPath`",
        key.shown()
    ))
}

/// The keys of operations, each once, in the order of their first operations; and the place of each operation's key.
pub(super) fn keys(operations: &[Operation]) -> (Vec<&Key>, Vec<usize>) {
    let (mut keys, mut places) = (Vec::new(), HashMap::new());
    let each = operations.iter().map(|operation| {
        let key = operation.key();
        *places.entry(key.whole()).or_insert_with(|| {
            keys.push(key);
            keys.len() - 1
        })
    });
    let each = each.collect();
    (keys, each)
}

/// The row of a key after the operations.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// The row as it was found.
    Same,
    Gone,
    There {
        row: Bytes,
        lasts: Option<Duration>,
    },
}

/// A key under way.
struct Draft<'a> {
    found: &'a Found,
    is_there: bool,
    is_touched: bool,
    mark: Option<u64>,
    outcome: Outcome,
}

/// The outcome of each key. An error is the conflict of the first operation that does not fit.
pub(super) fn plan(
    operations: &[Operation],
    places: &[usize],
    found: &[Found],
) -> Result<Vec<Outcome>> {
    let mut drafts: Vec<_> = found.iter().map(Draft::new).collect();
    for (operation, place) in operations.iter().zip(places) {
        drafts[*place].add(operation)?;
    }
    Ok(drafts.into_iter().map(|draft| draft.outcome).collect())
}

impl<'a> Draft<'a> {
    fn new(found: &'a Found) -> Self {
        Draft {
            found,
            is_there: found.entry.is_some(),
            is_touched: false,
            mark: found.entry.as_ref().and_then(|entry| entry.fence),
            outcome: Outcome::Same,
        }
    }

    fn add(&mut self, operation: &Operation) -> Result<()> {
        let (condition, shown) = match operation {
            Operation::Put(put) => (&put.options.condition, put.key.shown()),
            Operation::Delete(delete) => (&delete.condition, delete.key.shown()),
        };
        self.check(condition, shown)?;
        self.is_touched = true;
        let Operation::Put(put) = operation else {
            (self.is_there, self.mark) = (false, None);
            self.outcome = match self.found.revision {
                0 => Outcome::Same,
                _ => Outcome::Gone,
            };
            return Ok(());
        };
        if let (Some(mark), Some(fence)) = (self.mark, put.options.fence)
            && fence < mark
        {
            return Err(Error::conflict(format!(
                "`{shown}` was written with fence {mark}; expected at least that, found {fence}"
            )));
        }
        (self.is_there, self.mark) = (true, put.options.fence.or(self.mark));
        let lasts = put.options.ttl.filter(|ttl| *ttl < NEVER);
        let lasts = lasts.map(|ttl| ttl.max(Duration::from_millis(1)));
        let (data, content_type) = (put.value.clone(), put.options.content_type.clone());
        self.outcome = Outcome::There {
            row: Record::encode(data, content_type, self.mark, lasts),
            lasts,
        };
        Ok(())
    }

    fn check(&self, condition: &Condition, shown: &str) -> Result<()> {
        let has_etag = |etag: &str| !self.is_touched && etag == self.found.revision.to_string();
        let words = match condition {
            Condition::Absent if self.is_there => "has an entry; expected none",
            Condition::Matches(_) if !self.is_there => {
                "has no entry; expected one with the given etag"
            }
            Condition::Matches(etag) if !has_etag(etag) => {
                "has changed; expected the entry with the given etag"
            }
            _ => return Ok(()),
        };
        Err(Error::conflict(format!("`{shown}` {words}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::state::{Delete, Put};

    fn put(key: &str, condition: Condition, fence: Option<u64>) -> Operation {
        let mut put = Put::new(key, "1");
        (put.options.condition, put.options.fence) = (condition, fence);
        Operation::Put(put)
    }

    fn delete(key: &str) -> Operation {
        Operation::Delete(Delete {
            key: key.into(),
            condition: Condition::Always,
        })
    }

    fn there(revision: i64, fence: Option<u64>) -> Found {
        Found {
            revision,
            entry: Some(Record {
                fence,
                ..Record::default()
            }),
        }
    }

    fn planned(operations: &[Operation], found: &[Found]) -> Result<Vec<Outcome>> {
        let (keys, places) = keys(operations);
        assert_eq!(keys.len(), found.len());
        plan(operations, &places, found)
    }

    #[test]
    fn operations_on_one_key_are_one_write() {
        let operations = [
            put("a", Condition::Matches("7".into()), Some(5)),
            put("b", Condition::Absent, None),
            put("a", Condition::Always, None),
            delete("b"),
        ];
        let planned = planned(&operations, &[there(7, Some(4)), Found::default()]).unwrap();
        let [Outcome::There { row, .. }, Outcome::Same] = &planned[..] else {
            panic!("{planned:?}");
        };
        let kept = Record::decode(row.clone()).unwrap();
        assert_eq!(kept.fence, Some(5), "the mark stays");
    }

    #[test]
    fn what_was_deleted_begins_anew() {
        let operations = [delete("a"), put("a", Condition::Absent, Some(2))];
        assert!(planned(&operations, &[there(7, Some(9))]).is_ok());
        // An entry whose time is over is none, and is replaced.
        let dead = Found {
            revision: 7,
            entry: None,
        };
        let dead = [dead];
        assert!(planned(&[put("a", Condition::Absent, None)], &dead).is_ok());
        let gone = planned(&[delete("a")], &dead).unwrap();
        assert!(matches!(gone[..], [Outcome::Gone]));
    }

    #[test]
    fn what_does_not_fit_is_a_conflict() {
        let matches = |etag: &str| Condition::Matches(etag.to_owned());
        let cases = [
            (vec![put("a", Condition::Absent, None)], there(7, None)),
            (vec![put("a", matches("07"), None)], there(7, None)),
            (vec![put("a", matches("7"), Some(3))], there(7, Some(4))),
            (vec![put("a", matches("0"), None)], Found::default()),
            (
                vec![
                    put("a", Condition::Always, None),
                    put("a", matches("7"), None),
                ],
                there(7, None),
            ),
        ];
        for (operations, found) in cases {
            assert!(planned(&operations, &[found]).is_err(), "{operations:?}");
        }
    }
}
