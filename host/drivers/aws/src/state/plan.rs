//! Writes that operations come to: the service takes each key once, so that those on one key become one write, with what
//! the row must be like before.

use std::collections::HashMap;
use wythe_blocks::{
    Error, Key, Result, random,
    state::{Condition, Etag, Operation, Put},
};

/// The write of one key.
pub(super) struct Write<'a> {
    pub key: &'a Key,
    /// Condition on the stored row.
    pub condition: Condition,
    /// The highest fence that the stored row may have.
    pub fence: Option<u64>,
    pub effect: Effect<'a>,
}

pub(super) enum Effect<'a> {
    Delete,
    Put {
        put: &'a Put,
        etag: Etag,
        /// The mark that the row gets; where there is none, it keeps its own unless it is replaced.
        fence: Option<u64>,
        /// The row begins anew, for it was deleted before.
        replaces: bool,
    },
}

/// A row as the operations before have left it.
enum Row {
    Stored,
    Gone,
    /// It was put, with this mark if one is known.
    There(Option<u64>),
}

/// A key under way.
struct Draft<'a> {
    write: Write<'a>,
    row: Row,
    was_deleted: bool,
}

/// The writes, in the order of their first operations, and an etag for each put.
pub(super) fn plan(operations: &[Operation]) -> Result<(Vec<Write<'_>>, Vec<Option<Etag>>)> {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut etags = Vec::with_capacity(operations.len());
    for operation in operations {
        let key = operation.key();
        let place = *places.entry(key.whole()).or_insert_with(|| {
            drafts.push(Draft::new(key));
            drafts.len() - 1
        });
        etags.push(drafts[place].add(operation)?);
    }
    Ok((drafts.into_iter().map(|draft| draft.write).collect(), etags))
}

impl<'a> Draft<'a> {
    fn new(key: &'a Key) -> Self {
        Draft {
            write: Write {
                key,
                condition: Condition::Always,
                fence: None,
                effect: Effect::Delete,
            },
            row: Row::Stored,
            was_deleted: false,
        }
    }

    fn add(&mut self, operation: &'a Operation) -> Result<Option<Etag>> {
        let condition = match operation {
            Operation::Put(put) => &put.options.condition,
            Operation::Delete(delete) => &delete.condition,
        };
        let shown = self.write.key.shown();
        match (&self.row, condition) {
            (Row::Stored, condition) => self.write.condition = condition.clone(),
            (_, Condition::Always) | (Row::Gone, Condition::Absent) => {}
            (Row::There(_), Condition::Absent) => return Err(exists(shown)),
            (Row::There(_), Condition::Matches(_)) => return Err(changed(shown)),
            (Row::Gone, Condition::Matches(_)) => return Err(missing(shown)),
        }
        let Operation::Put(put) = operation else {
            self.write.effect = Effect::Delete;
            (self.row, self.was_deleted) = (Row::Gone, true);
            return Ok(None);
        };
        let given = put.options.fence;
        let mark = match (&self.row, given) {
            (Row::There(Some(mark)), Some(fence)) if fence < *mark => {
                return Err(fenced(shown, *mark, fence));
            }
            (Row::There(Some(mark)), None) => Some(*mark),
            (Row::Gone | Row::There(Some(_)), given) => given,
            // The stored mark is the row's, still.
            (Row::Stored | Row::There(None), given) => {
                if !self.was_deleted
                    && let Some(fence) = given
                {
                    let least = self.write.fence.map_or(fence, |least| least.min(fence));
                    self.write.fence = Some(least);
                }
                given
            }
        };
        let etag = random::name()?;
        self.row = Row::There(mark);
        self.write.effect = Effect::Put {
            put,
            etag: etag.clone(),
            fence: mark,
            replaces: self.was_deleted,
        };
        Ok(Some(etag))
    }
}

pub(super) fn exists(shown: &str) -> Error {
    Error::conflict(format!("`{shown}` has an entry; expected none"))
}

pub(super) fn missing(shown: &str) -> Error {
    Error::conflict(format!(
        "`{shown}` has no entry; expected one with the given etag"
    ))
}

pub(super) fn changed(shown: &str) -> Error {
    Error::conflict(format!(
        "`{shown}` has changed; expected the entry with the given etag"
    ))
}

pub(super) fn fenced(shown: &str, mark: u64, found: u64) -> Error {
    Error::conflict(format!(
        "`{shown}` was written with fence {mark}; expected at least that, found {found}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::state::Delete;

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

    #[test]
    fn operations_on_one_key_are_one_write() {
        let operations = [
            put("a", Condition::Absent, Some(5)),
            put("b", Condition::Always, None),
            put("a", Condition::Always, Some(7)),
        ];
        let (writes, etags) = plan(&operations).unwrap();
        assert_eq!((writes.len(), etags.len()), (2, 3));
        assert_eq!(
            (&writes[0].condition, writes[0].fence),
            (&Condition::Absent, Some(5))
        );
        let Effect::Put {
            etag,
            fence,
            replaces,
            ..
        } = &writes[0].effect
        else {
            panic!("a put");
        };
        assert_eq!(
            (Some(etag), *fence, *replaces),
            (etags[2].as_ref(), Some(7), false)
        );
    }

    #[test]
    fn what_was_deleted_begins_anew() {
        let operations = [delete("a"), put("a", Condition::Absent, Some(2))];
        let (writes, _) = plan(&operations).unwrap();
        assert_eq!(writes[0].fence, None, "its mark went with it");
        assert!(matches!(
            writes[0].effect,
            Effect::Put { replaces: true, .. }
        ));
    }

    #[test]
    fn operations_see_those_before_them() {
        let cases = [
            [
                put("a", Condition::Always, Some(8)),
                put("a", Condition::Always, Some(7)),
            ],
            [
                put("a", Condition::Always, None),
                put("a", Condition::Absent, None),
            ],
            [
                put("a", Condition::Always, None),
                put("a", Condition::Matches("e".into()), None),
            ],
            [delete("a"), put("a", Condition::Matches("e".into()), None)],
        ];
        for operations in cases {
            assert!(plan(&operations).is_err());
        }
    }
}
