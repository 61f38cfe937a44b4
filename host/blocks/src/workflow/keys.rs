//! The keys of the records of workflows, and the rules of a good instance id.

use super::Timestamp;
use crate::{Error, Result, state::RESERVED};

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

/// The key of a row that is there while entries wait that the workflow's code has not been run past.
pub(super) fn ready(id: &str) -> String {
    format!("{RESERVED}workflow||ready||{id}")
}

/// An activity or a child that is to be started.
pub(super) fn work(id: &str, run: u32, task: u32) -> String {
    format!("{}{task:08}", works(id, run))
}

pub(super) fn works(id: &str, run: u32) -> String {
    format!("{}{id}||{run:08}||", all_works())
}

pub(super) fn all_works() -> String {
    format!("{RESERVED}workflow||work||")
}

/// The end of a child, on its way to its parent.
pub(super) fn ended(parent: &str, run: u32, task: u32) -> String {
    format!("{}{parent}||{run:08}||{task:08}", all_ended())
}

pub(super) fn all_ended() -> String {
    format!("{RESERVED}workflow||ended||")
}

/// The task is absent for the beginning of an instance.
pub(super) fn wake(due: Timestamp, id: &str, run: u32, task: Option<u32>) -> String {
    let task = task.map_or("begin".to_owned(), |task| format!("{task:08}"));
    format!("{}{due:020}||{id}||{run:08}||{task}", wakes())
}

pub(super) fn wakes() -> String {
    format!("{RESERVED}workflow||wake||")
}

/// A wake-up row's due time, instance, run and task.
pub(super) fn parse_wake(key: &str) -> Option<(Timestamp, &str, u32, Option<u32>)> {
    let mut parts = key.strip_prefix(&wakes())?.splitn(4, "||");
    let due = parts.next()?.parse().ok()?;
    let id = parts.next()?;
    let run = parts.next()?.parse().ok()?;
    let task = parts.next()?;
    let task = (task != "begin").then(|| task.parse()).transpose().ok()?;
    Some((due, id, run, task))
}

/// Instance, run and task of a row of work, or of a child's end.
pub(super) fn parse_row<'a>(key: &'a str, prefix: &str) -> Option<(&'a str, u32, u32)> {
    let mut parts = key.strip_prefix(prefix)?.splitn(3, "||");
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
        let key = wake(17, "a:1:2", 3, Some(4));
        assert_eq!(parse_wake(&key), Some((17, "a:1:2", 3, Some(4))));
        let key = wake(17, "a", 1, None);
        assert_eq!(parse_wake(&key), Some((17, "a", 1, None)));
        let key = work("a", 1, 2);
        assert_eq!(parse_row(&key, &all_works()), Some(("a", 1, 2)));
        let key = ended("a.b", 1, 2);
        assert_eq!(parse_row(&key, &all_ended()), Some(("a.b", 1, 2)));
    }

    #[test]
    fn ids_have_no_separator() {
        assert!(check_id("order-7:1").is_ok());
        for bad in ["", "a||b", "a b", "ä", &"x".repeat(MAX_ID + 1)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
