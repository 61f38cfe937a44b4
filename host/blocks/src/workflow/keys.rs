//! The keys of the records of workflows, and the rules of a good instance id.
//!
//! Rows by which work is found have the shard of their instance's id in the key. Records and journals have none: they
//! are found by their id, and listed in the order of ids.

use super::Timestamp;
use crate::{
    Error, Result, Shard,
    state::{Old, RESERVED},
};

/// Bytes of an instance's id.
pub const MAX_ID: usize = 200;

pub(super) fn instance(id: &str) -> String {
    format!("{RESERVED}workflow||instance||{id}")
}

pub(super) fn history(id: &str, run: u32) -> String {
    format!("{}{run:08}||", histories(id))
}

/// The prefix of the journals of all runs.
pub(super) fn histories(id: &str) -> String {
    format!("{RESERVED}workflow||history||{id}||")
}

pub(super) fn entry(id: &str, run: u32, index: u32) -> String {
    format!("{}{index:08}", history(id, run))
}

/// The sorts of rows that loops scan.
pub(super) const READY: &str = "ready";
pub(super) const WORK: &str = "work";
pub(super) const ENDED: &str = "ended";
pub(super) const WAKE: &str = "wake";

/// The prefix of all rows of a sort, shard by shard.
pub(super) fn all(sort: &str) -> String {
    format!("{RESERVED}workflow||{sort}/")
}

/// The prefix of the rows of one shard of a sort.
pub(super) fn all_of(sort: &str, shard: Shard) -> String {
    format!("{}{shard}||", all(sort))
}

fn row(sort: &str, id: &str) -> String {
    format!("{}{id}", all_of(sort, Shard::of(id)))
}

/// The shard of a row of a sort, and what comes after it.
pub(super) fn parse_shard<'a>(sort: &str, key: &'a str) -> Option<(Shard, &'a str)> {
    let (shard, rest) = key.strip_prefix(&all(sort))?.split_once("||")?;
    Some((Shard::parse(shard)?, rest))
}

/// The key of a row that is there while entries wait that the workflow's code has not been run past.
pub(super) fn ready(id: &str) -> String {
    row(READY, id)
}

/// The instance of such a row.
pub(super) fn parse_ready(key: &str) -> Option<&str> {
    parse_shard(READY, key).map(|(_, id)| id)
}

/// An activity or a child that is to be started.
pub(super) fn work(id: &str, run: u32, task: u32) -> String {
    format!("{}{task:08}", works(id, run))
}

pub(super) fn works(id: &str, run: u32) -> String {
    format!("{}||{run:08}||", row(WORK, id))
}

/// The end of a child, on its way to its parent, whose shard it has.
pub(super) fn ended(parent: &str, run: u32, task: u32) -> String {
    format!("{}||{run:08}||{task:08}", row(ENDED, parent))
}

/// The task is absent for the beginning of an instance. Within a shard the order of keys is that of times.
pub(super) fn wake(due: Timestamp, id: &str, run: u32, task: Option<u32>) -> String {
    let task = task.map_or("begin".to_owned(), |task| format!("{task:08}"));
    wake_of(due, id, &format!("{run:08}||{task}"))
}

fn wake_of(due: Timestamp, id: &str, rest: &str) -> String {
    let shard = all_of(WAKE, Shard::of(id));
    format!("{shard}{due:020}||{id}||{rest}")
}

/// The parts of the key of a wake-up row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wake<'a> {
    pub shard: Shard,
    pub due: Timestamp,
    pub id: &'a str,
    pub run: u32,
    pub task: Option<u32>,
}

pub(super) fn parse_wake(key: &str) -> Option<Wake<'_>> {
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
pub(super) fn old() -> [Old; 4] {
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
pub(super) fn parse_row<'a>(key: &'a str, sort: &str) -> Option<(&'a str, u32, u32)> {
    let (_, rest) = parse_shard(sort, key)?;
    let mut parts = rest.splitn(3, "||");
    let id = parts.next()?;
    let run = parts.next()?.parse().ok()?;
    Some((id, run, parts.next()?.parse().ok()?))
}

pub(super) fn check_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if id.is_empty() || id.len() > MAX_ID || !id.chars().all(plain) {
        return Err(Error::invalid(format!(
            "the instance id `{}`; expected 1 to {MAX_ID} letters, digits, `-`, `_`, `.` and `:`",
            shown(id)
        )));
    }
    Ok(())
}

/// Names of events, activities, changes: what a person can read in a line.
pub(super) fn check_name(what: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if name.is_empty() || name.len() > MAX_ID || !name.chars().all(plain) {
        return Err(Error::invalid(format!(
            "the name of {what} `{}`; expected 1 to {MAX_ID} letters, digits, `-`, `_`, `.`, `:` and `/`",
            shown(name)
        )));
    }
    Ok(())
}

/// The text that somebody wrote, cut and escaped for a message.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
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

    #[test]
    fn ids_have_no_separator() {
        assert!(check_id("order-7:1").is_ok());
        for bad in ["", "a||b", "a b", "ä", &"x".repeat(MAX_ID + 1)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
