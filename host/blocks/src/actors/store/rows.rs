//! The rows in which actors are kept: their keys, and what is in them.
//!
//! - `meta`: one an actor. Every commit of the actor replaces it, and only over the etag that the activation holds: that
//!   is the whole of its safety.
//! - `entry`: the actor's own values.
//! - `reminder`: by actor and name; beside it, in the same transaction, `due`: by shard, and there in the order in which
//!   they come due.
//! - `outbox`: events of turns that were kept, by shard, until the broker has them.

use crate::actors::core::names::{self, Actor};
use crate::{
    Error, Result, Shard,
    state::{Old, RESERVED},
};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

const SEPARATOR: &str = "||";

/// The beginning of every key of one sort of rows.
pub(in crate::actors) fn sort(sort: &str) -> String {
    format!("{RESERVED}actors{SEPARATOR}{sort}{SEPARATOR}")
}

fn of(kind: &str, actor: &Actor) -> String {
    format!("{}{}{SEPARATOR}{}", sort(kind), actor.kind, actor.id)
}

pub(in crate::actors) fn meta(actor: &Actor) -> String {
    of("meta", actor)
}

/// The prefix of the records of all actors of a type.
pub(in crate::actors) fn metas(kind: &str) -> String {
    format!("{}{kind}{SEPARATOR}", sort("meta"))
}

/// The key of an entry; with an empty key, the prefix of all entries of the actor.
pub(in crate::actors) fn entry(actor: &Actor, key: &str) -> String {
    format!("{}{SEPARATOR}{key}", of("entry", actor))
}

/// The key of a reminder; with an empty name, the prefix of all reminders of the actor.
pub(in crate::actors) fn reminder(actor: &Actor, name: &str) -> String {
    format!("{}{SEPARATOR}{name}", of("reminder", actor))
}

/// The beginning of every key of a sort that has shards.
pub(in crate::actors) fn shards(sort: &str) -> String {
    format!("{RESERVED}actors{SEPARATOR}{sort}/")
}

/// The beginning of every key of one shard of a sort.
pub(in crate::actors) fn shard_of(sort: &str, shard: Shard) -> String {
    format!("{}{shard}{SEPARATOR}", shards(sort))
}

/// Twenty digits hold every time there is, so within a shard the order of keys is that of times.
pub(in crate::actors) fn due(actor: &Actor, name: &str, due: u64) -> String {
    due_of(due, &actor.kind, &actor.id, name)
}

fn due_of(due: u64, kind: &str, id: &str, name: &str) -> String {
    let shard = shard_of("due", names::shard(kind, id));
    format!("{shard}{due:020}{SEPARATOR}{kind}{SEPARATOR}{id}{SEPARATOR}{name}")
}

/// The cursor before every row of a shard that is due at this time.
pub(in crate::actors) fn before(shard: Shard, due: u64) -> String {
    format!("{}{due:020}", shard_of("due", shard))
}

/// The parts of the key of a row of the sort `due`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::actors) struct Due<'a> {
    pub shard: Shard,
    pub due: u64,
    pub kind: &'a str,
    pub id: &'a str,
    pub name: &'a str,
}

pub(in crate::actors) fn parse_due(key: &str) -> Option<Due<'_>> {
    let (shard, rest) = parse_shard("due", key)?;
    let mut parts = rest.split(SEPARATOR);
    let due = parts.next()?.parse().ok()?;
    let (kind, id, name) = (parts.next()?, parts.next()?, parts.next()?);
    let row = Due {
        shard,
        due,
        kind,
        id,
        name,
    };
    parts.next().is_none().then_some(row)
}

/// The shard of a key of a sort, and what comes after it.
pub(in crate::actors) fn parse_shard<'a>(sort: &str, key: &'a str) -> Option<(Shard, &'a str)> {
    let (shard, rest) = key.strip_prefix(&shards(sort))?.split_once(SEPARATOR)?;
    Some((Shard::parse(shard)?, rest))
}

/// Rows of the first format, whose keys have no shard.
pub(in crate::actors) fn old() -> [Old; 2] {
    [
        Old {
            prefix: sort("due"),
            key: |key| {
                let mut parts = key.strip_prefix(&sort("due"))?.split(SEPARATOR);
                let due = parts.next()?.parse().ok()?;
                let (kind, id, name) = (parts.next()?, parts.next()?, parts.next()?);
                parts.next().is_none().then(|| due_of(due, kind, id, name))
            },
        },
        Old {
            prefix: sort("outbox"),
            key: |key| {
                let rest = key.strip_prefix(&sort("outbox"))?;
                let mut parts = rest.splitn(3, SEPARATOR);
                let (kind, id) = (parts.next()?, parts.next()?);
                parts.next()?;
                let shard = shard_of("outbox", names::shard(kind, id));
                Some(format!("{shard}{rest}"))
            },
        },
    ]
}

/// The key that a row of the sort `due` had in the first format.
pub(in crate::actors) fn old_due(actor: &Actor, name: &str, due: u64) -> String {
    let (sort, kind, id) = (sort("due"), &actor.kind, &actor.id);
    format!("{sort}{due:020}{SEPARATOR}{kind}{SEPARATOR}{id}{SEPARATOR}{name}")
}

/// Type and id of a row of the sort `meta`.
pub(in crate::actors) fn parse_meta(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(&sort("meta"))?.split_once(SEPARATOR)
}

pub(in crate::actors) fn outbox(actor: &Actor, turn: u64, number: usize) -> String {
    let (shard, kind, id) = (shard_of("outbox", actor.shard()), &actor.kind, &actor.id);
    format!("{shard}{kind}{SEPARATOR}{id}{SEPARATOR}{turn:020}{SEPARATOR}{number:06}")
}

pub(in crate::actors) fn write<T: Serialize>(row: &T) -> Bytes {
    serde_json::to_vec(row).expect("rows are plain JSON").into()
}

pub(in crate::actors) fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The key has the host's own prefix, which is for the log.
        Error::internal("a record of an actor cannot be read")
            .with_source(format!("{key}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::ACTOR_VALUES;

    fn actor() -> Actor {
        Actor::new(&"default".parse().unwrap(), "account", "a:1").unwrap()
    }

    #[test]
    fn keys_are_read_back() {
        assert_eq!(meta(&actor()), "||actors||meta||account||a:1");
        let rows = [
            entry(&actor(), "balance"),
            reminder(&actor(), "interest"),
            outbox(&actor(), 1, 0),
        ];
        for (key, counted) in rows.iter().zip(ACTOR_VALUES) {
            assert!(key.starts_with(counted), "{key}");
        }
        assert_eq!(parse_meta(&meta(&actor())), Some(("account", "a:1")));
        let key = due(&actor(), "interest", 1_700_000_000_123);
        let shard = actor().shard();
        let rest = "00000001700000000123||account||a:1||interest";
        assert_eq!(key, format!("||actors||due/{shard}||{rest}"));
        let row = parse_due(&key).unwrap();
        assert_eq!((row.shard, row.due), (shard, 1_700_000_000_123));
        assert_eq!((row.kind, row.id, row.name), ("account", "a:1", "interest"));
        for bad in [
            "||actors||due/00||7||account||a",
            "||actors||due/0||7||account||a||r",
        ] {
            assert_eq!(parse_due(bad), None);
        }
        assert!(due(&actor(), "z", 9) < due(&actor(), "a", 10));
        assert!(before(shard, 9) < due(&actor(), "z", 9));
    }

    #[test]
    fn rows_of_the_first_format_find_their_shard() {
        let [due_rows, events] = old();
        let key = old_due(&actor(), "interest", 17);
        assert_eq!(
            key,
            "||actors||due||00000000000000000017||account||a:1||interest"
        );
        assert_eq!((due_rows.key)(&key), Some(due(&actor(), "interest", 17)));
        let key = "||actors||outbox||account||a:1||00000000000000000003||000001";
        assert_eq!((events.key)(key), Some(outbox(&actor(), 3, 1)));
        assert_eq!((due_rows.key)("||actors||due||soon||account||a:1||r"), None);
        assert_eq!((events.key)("||actors||outbox||account"), None);
    }
}
