//! The beginning of an instance: whether its id is free, and the transaction that it begins with.

use super::{
    entry::{Entry, origin},
    machine::commit::{Commit, Over},
    machine::step::started,
    meta::{Meta, Status},
    row::{Change, Row},
};
use crate::{Error, Result, workflow::Timestamp};
use bytes::Bytes;

/// The commit by which an instance begins, over the record that its id has, if it has one; none where it is a child whose
/// start was not yet known to be done.
pub(in crate::workflow) fn birth(
    tenant: &str,
    mut meta: Meta,
    old: Option<(Meta, String)>,
    (input, seed): (Bytes, u128),
    at: Option<Timestamp>,
) -> Result<Option<Commit>> {
    let mut over = Over::Nothing;
    if let Some((old, version)) = old {
        if meta.parent.is_some() && old.parent == meta.parent {
            return Ok(None);
        }
        check_free(&old, &meta)?;
        meta.run = old.run + 1;
        over = Over::Version(version);
    }
    let first = Entry {
        index: 0,
        time: meta.created,
        kind: started(&meta, seed),
        payload: input,
    };
    let (value, hash) = first.encode(&origin(tenant, &meta.id, meta.run))?;
    (meta.next, meta.hash, meta.bytes) = (1, hash, first.weight());
    let row = match at {
        Some(due) if meta.status == Status::Pending => Row::Wake {
            due,
            run: meta.run,
            task: None,
        },
        _ => Row::Ready,
    };
    let mut commit = Commit::plain(meta, over, vec![Change::Put(row)]);
    commit.entries.push((0, value));
    Ok(Some(commit))
}

/// An id is free again when its instance has ended, for the workflow that used it; for others when it is purged, and
/// they hear no more of the instance that has it.
pub(in crate::workflow) fn check_free(old: &Meta, new: &Meta) -> Result<()> {
    if old.name != new.name {
        return Err(Error::conflict(format!(
            "the instance id `{}` is taken by an instance of another workflow",
            old.id
        )));
    }
    if !old.status.has_ended() || (&old.app, &old.name) != (&new.app, &new.name) {
        return Err(Error::conflict(format!(
            "the instance id `{}` is taken by one of workflow `{}` that is {}",
            old.id, old.name, old.status
        )));
    }
    Ok(())
}
