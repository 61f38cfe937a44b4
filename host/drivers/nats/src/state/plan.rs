//! Rows that operations come to: the server checks a subject once in a batch, so that those on one key become one write,
//! which follows the row as it was found.

use super::{check, detail};
use crate::bucket::{Detail, Row};
use std::collections::HashMap;
use wythe_blocks::{
    Error, Key, Result,
    state::{Condition, Operation},
};

/// The keys of operations, each once, in the order of their first operations; and the position of each operation's key.
pub(super) fn keys(operations: &[Operation]) -> (Vec<&Key>, Vec<usize>) {
    let (mut keys, mut positions) = (Vec::new(), HashMap::new());
    let each = operations.iter().map(|operation| {
        let key = operation.key();
        *positions.entry(key.whole()).or_insert_with(|| {
            keys.push(key);
            keys.len() - 1
        })
    });
    let each = each.collect();
    (keys, each)
}

/// The rows after the operations, each with the revision that its write follows. An error is the conflict of the first operation
/// that does not fit.
pub(super) fn plan(
    operations: &[Operation],
    positions: &[usize],
    found: &[Row],
) -> Result<Vec<Row>> {
    let mut drafts: Vec<_> = found.iter().map(|row| (row.clone(), false)).collect();
    for (operation, position) in operations.iter().zip(positions) {
        let (row, is_touched) = &mut drafts[*position];
        add(operation, row, *is_touched)?;
        *is_touched = true;
    }
    Ok(drafts.into_iter().map(|(row, _)| row).collect())
}

fn add(operation: &Operation, row: &mut Row, is_touched: bool) -> Result<()> {
    let key = operation.key();
    let condition = match operation {
        Operation::Put(put) => &put.options.condition,
        Operation::Delete(delete) => &delete.condition,
    };
    // An etag that the transaction itself has replaced matches no more.
    if is_touched && matches!(condition, Condition::Matches(_)) {
        return Err(Error::conflict(format!(
            "`{}` is written before in the same transaction; expected no etag",
            key.shown()
        )));
    }
    check(condition, row, key)?;
    match operation {
        Operation::Put(put) => {
            row.detail = detail(&put.options, row, key)?;
            row.value = Some(put.value.clone());
        }
        Operation::Delete(_) => (row.value, row.detail) = (None, Detail::default()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::state::{Delete, Put};

    fn put(key: &str, condition: Condition, fence: Option<u64>) -> Operation {
        let mut put = Put::new(key, "new");
        (put.options.condition, put.options.fence) = (condition, fence);
        Operation::Put(put)
    }

    fn delete(key: &str) -> Operation {
        Operation::Delete(Delete {
            key: key.into(),
            condition: Condition::Always,
        })
    }

    fn there(revision: u64, fence: Option<u64>) -> Row {
        Row {
            revision,
            value: Some("old".into()),
            detail: Detail {
                fence,
                ..Detail::default()
            },
        }
    }

    fn planned(operations: &[Operation], found: &[Row]) -> Result<Vec<Row>> {
        let (keys, positions) = keys(operations);
        assert_eq!(keys.len(), found.len());
        plan(operations, &positions, found)
    }

    #[test]
    fn operations_on_one_key_are_one_write() {
        let operations = [
            put("a", Condition::Matches("7".into()), Some(5)),
            put("b", Condition::Absent, None),
            put("a", Condition::Always, None),
            delete("b"),
        ];
        let rows = planned(&operations, &[there(7, Some(4)), Row::default()]).unwrap();
        assert_eq!(rows[0].revision, 7);
        assert_eq!(rows[0].value.as_deref(), Some(&b"new"[..]));
        assert_eq!(rows[0].detail.fence, Some(5), "the mark stays");
        // It is written all the same: nobody may have put one meanwhile.
        assert_eq!((rows[1].revision, &rows[1].value), (0, &None));
    }

    #[test]
    fn what_was_deleted_begins_anew() {
        let operations = [delete("a"), put("a", Condition::Absent, Some(2))];
        let rows = planned(&operations, &[there(7, Some(9))]).unwrap();
        assert_eq!((rows[0].revision, rows[0].detail.fence), (7, Some(2)));
        let gone = Row {
            value: None,
            ..there(7, Some(9))
        };
        assert!(planned(&[put("a", Condition::Absent, Some(1))], &[gone]).is_ok());
    }

    #[test]
    fn what_does_not_fit_is_a_conflict() {
        let matches = |etag: &str| Condition::Matches(etag.to_owned());
        let twice = |second| vec![put("a", Condition::Always, None), put("a", second, None)];
        let cases = [
            (vec![put("a", Condition::Absent, None)], there(7, None)),
            (vec![put("a", matches("07"), None)], there(7, None)),
            (vec![put("a", matches("7"), Some(3))], there(7, Some(4))),
            (vec![put("a", matches("0"), None)], Row::default()),
            (twice(matches("7")), there(7, None)),
            (twice(Condition::Absent), Row::default()),
        ];
        for (operations, found) in cases {
            let error = planned(&operations, &[found]).unwrap_err();
            assert_eq!(error.kind(), wythe_blocks::Kind::Conflict, "{operations:?}");
        }
    }
}
