//! A decision as one transaction of the store: entries, rows, and the record over the version that was read.

use super::{keys, rows};
use crate::{
    Result,
    state::{Condition, Operation},
    workflow::core::{
        attempt,
        machine::commit::{Commit, Over},
        peers::HostId,
        row::{Change, Row},
    },
};
use bytes::Bytes;

#[cfg(test)]
use crate::workflow::tests::bugs::{self, Bug};

/// The operations of a commit of this host; the record is the last one.
pub(in crate::workflow) fn operations(
    commit: &Commit,
    host: Option<HostId>,
) -> Result<Vec<Operation>> {
    let (id, run) = (&commit.meta.id, commit.meta.run);
    let entry =
        |(index, entry): &(u32, Bytes)| rows::put(keys::entry(id, run, *index), entry.clone());
    let mut operations: Vec<_> = commit.entries.iter().map(entry).collect();
    operations.extend(commit.changes.iter().map(|one| change(id, one, host)));
    let record = commit.meta.encode()?;
    #[cfg(test)]
    if bugs::has(Bug::NoCondition) {
        operations.push(rows::put(keys::instance(id), record));
        return Ok(operations);
    }
    operations.push(rows::put_if(
        keys::instance(id),
        record,
        condition(&commit.over),
    ));
    Ok(operations)
}

pub(in crate::workflow) fn condition(over: &Over) -> Condition {
    match over {
        Over::Nothing => Condition::Absent,
        Over::Version(version) => Condition::Matches(version.clone()),
    }
}

/// The value of a row that says that code is behind: the host that runs it.
pub(in crate::workflow) fn ready(host: Option<HostId>) -> Bytes {
    host.map_or_else(Bytes::new, |host| host.to_string().into())
}

/// The host that runs the code of an instance, by the value of its row.
pub(in crate::workflow) fn runner(value: &[u8]) -> Option<HostId> {
    HostId::parse(std::str::from_utf8(value).ok()?)
}

/// The operation of a change of an instance's rows; the work that it asks for is this host's.
pub(in crate::workflow) fn change(id: &str, change: &Change, host: Option<HostId>) -> Operation {
    match change {
        Change::Ask { run, task, entry } => {
            let row = attempt::Row {
                entry: *entry,
                host,
                ..attempt::Row::default()
            };
            rows::put(keys::work(id, *run, *task), row.encode())
        }
        Change::Put(row @ Row::Ready) => rows::put(keys::of(id, row), ready(host)),
        Change::Put(row) => rows::put(keys::of(id, row), Bytes::new()),
        Change::Delete(row) => rows::delete(keys::of(id, row)),
        Change::End(parent, value) => rows::put(keys::end_of(parent), value.clone()),
        Change::Last { run, index, entry } => {
            rows::put(keys::entry(id, *run, *index), entry.clone())
        }
    }
}

/// The write of a row of work over the version that was read.
pub(in crate::workflow) fn attempt(key: &str, row: attempt::Row, version: String) -> Operation {
    rows::put_if(key.to_owned(), row.encode(), Condition::Matches(version))
}
