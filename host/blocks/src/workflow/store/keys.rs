//! The keys of the records of workflows.
//!
//! Rows by which work is found have the shard of their instance's id in the key. Records and journals have none: they
//! are found by their id, and listed in the order of ids.

use crate::{
    Shard,
    state::{Old, RESERVED},
    workflow::{
        Timestamp,
        core::{entry::Parent, peers::HostId, row::Row},
    },
};

pub(in crate::workflow) fn instance(id: &str) -> String {
    format!("{RESERVED}workflow||instance||{id}")
}

pub(in crate::workflow) fn history(id: &str, run: u32) -> String {
    format!("{}{run:08}||", histories(id))
}

/// The prefix of the journals of all runs.
pub(in crate::workflow) fn histories(id: &str) -> String {
    format!("{RESERVED}workflow||history||{id}||")
}

pub(in crate::workflow) fn entry(id: &str, run: u32, index: u32) -> String {
    format!("{}{index:08}", history(id, run))
}

/// The key of a row of an instance.
pub(in crate::workflow) fn of(id: &str, row: &Row) -> String {
    match *row {
        Row::Ready => ready(id),
        Row::Work { run, task } => work(id, run, task),
        Row::Ended { run, task } => ended(id, run, task),
        Row::Wake { due, run, task } => wake(due, id, run, task),
    }
}

/// The row by which a parent hears of a child's end.
pub(in crate::workflow) fn end_of(parent: &Parent) -> String {
    ended(&parent.instance, parent.run, parent.task)
}

/// The record of a host that uses the store.
pub(in crate::workflow) fn host(id: HostId) -> String {
    format!("{}{id}", hosts())
}

/// The prefix of these records.
pub(in crate::workflow) fn hosts() -> String {
    format!("{RESERVED}workflow||host||")
}

pub(in crate::workflow) fn parse_host(key: &str) -> Option<HostId> {
    HostId::parse(key.strip_prefix(&hosts())?)
}

/// The sorts of rows that loops scan.
pub(in crate::workflow) const READY: &str = "ready";
pub(in crate::workflow) const WORK: &str = "work";
pub(in crate::workflow) const ENDED: &str = "ended";
pub(in crate::workflow) const WAKE: &str = "wake";

/// The prefix of all rows of a sort, shard by shard.
pub(in crate::workflow) fn all(sort: &str) -> String {
    format!("{RESERVED}workflow||{sort}/")
}

/// The prefix of the rows of one shard of a sort.
pub(in crate::workflow) fn all_of(sort: &str, shard: Shard) -> String {
    format!("{}{shard}||", all(sort))
}

fn row(sort: &str, id: &str) -> String {
    format!("{}{id}", all_of(sort, Shard::of(id)))
}

/// The shard of a row of a sort, and what comes after it.
pub(in crate::workflow) fn parse_shard<'a>(sort: &str, key: &'a str) -> Option<(Shard, &'a str)> {
    let (shard, rest) = key.strip_prefix(&all(sort))?.split_once("||")?;
    Some((Shard::parse(shard)?, rest))
}

/// The key of a row that is there while entries wait that the workflow's code has not been run past.
pub(in crate::workflow) fn ready(id: &str) -> String {
    row(READY, id)
}

/// The instance of such a row.
pub(in crate::workflow) fn parse_ready(key: &str) -> Option<&str> {
    parse_shard(READY, key).map(|(_, id)| id)
}

/// An activity or a child that is to be started.
pub(in crate::workflow) fn work(id: &str, run: u32, task: u32) -> String {
    format!("{}{task:08}", works(id, run))
}

pub(in crate::workflow) fn works(id: &str, run: u32) -> String {
    format!("{}||{run:08}||", row(WORK, id))
}

/// The end of a child, on its way to its parent, whose shard it has.
pub(in crate::workflow) fn ended(parent: &str, run: u32, task: u32) -> String {
    format!("{}||{run:08}||{task:08}", row(ENDED, parent))
}

/// The task is absent for the beginning of an instance. Within a shard the order of keys is that of times.
pub(in crate::workflow) fn wake(due: Timestamp, id: &str, run: u32, task: Option<u32>) -> String {
    let task = task.map_or("begin".to_owned(), |task| format!("{task:08}"));
    wake_of(due, id, &format!("{run:08}||{task}"))
}

fn wake_of(due: Timestamp, id: &str, rest: &str) -> String {
    let shard = all_of(WAKE, Shard::of(id));
    format!("{shard}{due:020}||{id}||{rest}")
}

/// The parts of the key of a wake-up row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::workflow) struct Wake<'a> {
    pub shard: Shard,
    pub due: Timestamp,
    pub id: &'a str,
    pub run: u32,
    pub task: Option<u32>,
}

pub(in crate::workflow) fn parse_wake(key: &str) -> Option<Wake<'_>> {
    let (shard, rest) = parse_shard(WAKE, key)?;
    let mut parts = rest.splitn(4, "||");
    let due = parts.next()?.parse().ok()?;
    let id = parts.next()?;
    let run = parts.next()?.parse().ok()?;
    let task = parts.next()?;
    let task = (task != "begin").then(|| task.parse()).transpose().ok()?;
    Some(Wake {
        shard,
        due,
        id,
        run,
        task,
    })
}

fn old_prefix(sort: &str) -> String {
    format!("{RESERVED}workflow||{sort}||")
}

/// A key of the first format with the shard of the id that it begins with.
fn sharded(sort: &str, key: &str) -> Option<String> {
    let rest = key.strip_prefix(&old_prefix(sort))?;
    let id = rest.split("||").next()?;
    Some(format!("{}{rest}", all_of(sort, Shard::of(id))))
}

/// Rows of the first format, whose keys have no shard.
pub(in crate::workflow) fn old() -> [Old; 4] {
    let old = |sort, key| Old {
        prefix: old_prefix(sort),
        key,
    };
    [
        old(READY, |key| sharded(READY, key)),
        old(WORK, |key| sharded(WORK, key)),
        old(ENDED, |key| sharded(ENDED, key)),
        old(WAKE, |key| {
            let rest = key.strip_prefix(&old_prefix(WAKE))?;
            let (due, rest) = rest.split_once("||")?;
            let (id, rest) = rest.split_once("||")?;
            Some(wake_of(due.parse().ok()?, id, rest))
        }),
    ]
}

/// Instance, run and task of a row of work, or of a child's end.
pub(in crate::workflow) fn parse_row<'a>(key: &'a str, sort: &str) -> Option<(&'a str, u32, u32)> {
    let (_, rest) = parse_shard(sort, key)?;
    let mut parts = rest.splitn(3, "||");
    let id = parts.next()?;
    let run = parts.next()?.parse().ok()?;
    Some((id, run, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_back_from_their_keys() {
        for (id, run, task) in [("a:1:2", 3, Some(4)), ("a", 1, None)] {
            let (shard, due) = (Shard::of(id), 17);
            let key = wake(due, id, run, task);
            let found = parse_wake(&key).unwrap();
            assert_eq!((found.shard, found.due, found.id), (shard, due, id));
            assert_eq!((found.run, found.task), (run, task));
        }
        assert_eq!(parse_row(&work("a", 1, 2), WORK), Some(("a", 1, 2)));
        assert_eq!(parse_row(&ended("a.b", 1, 2), ENDED), Some(("a.b", 1, 2)));
        assert_eq!(parse_ready(&ready("a.b")), Some("a.b"));
        let shard = Shard::of("a");
        assert_eq!(ready("a"), format!("||workflow||ready/{shard}||a"));
        let rest = "a||00000001||00000002";
        assert_eq!(work("a", 1, 2), format!("||workflow||work/{shard}||{rest}"));
    }

    #[test]
    fn rows_of_the_first_format_find_their_shard() {
        let [readies, works, ends, wakes] = old();
        let to = |old: &Old, rest: &str| (old.key)(&format!("{}{rest}", old.prefix));
        assert_eq!(to(&readies, "a:1"), Some(ready("a:1")));
        assert_eq!(
            to(&works, "a:1||00000003||00000004"),
            Some(work("a:1", 3, 4))
        );
        assert_eq!(
            to(&ends, "a:1||00000003||00000004"),
            Some(ended("a:1", 3, 4))
        );
        let timer = "00000000000000000017||a:1||00000003||00000004";
        assert_eq!(to(&wakes, timer), Some(wake(17, "a:1", 3, Some(4))));
        let begin = "00000000000000000017||a:1||00000003||begin";
        assert_eq!(to(&wakes, begin), Some(wake(17, "a:1", 3, None)));
        assert_eq!(to(&wakes, "soon||a||1||2"), None);
    }
}
