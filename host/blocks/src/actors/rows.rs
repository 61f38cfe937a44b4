//! The rows in which actors are kept: their keys, and what is in them.
//!
//! - `meta`: one an actor. Every commit of the actor replaces it, and only over the etag that the activation holds: that
//!   is the whole of its safety.
//! - `entry`: the actor's own values.
//! - `reminder`: by actor and name; beside it, in the same transaction, `due`: by shard, and there in the order in which
//!   they come due.
//! - `outbox`: events of turns that were kept, by shard, until the broker has them.

use super::names::{self, Actor};
use crate::{
    Error, Result, Shard, Trace,
    call::trace_or_none,
    pubsub::Event,
    state::{Old, RESERVED},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error as _,
};

const SEPARATOR: &str = "||";
/// Milliseconds until a reminder without a period is tried again that was given up.
const PUT_OFF: u64 = 3_600_000;

/// The beginning of every key of one sort of rows.
pub(super) fn sort(sort: &str) -> String {
    format!("{RESERVED}actors{SEPARATOR}{sort}{SEPARATOR}")
}

fn of(kind: &str, actor: &Actor) -> String {
    format!("{}{}{SEPARATOR}{}", sort(kind), actor.kind, actor.id)
}

pub(super) fn meta(actor: &Actor) -> String {
    of("meta", actor)
}

/// The prefix of the records of all actors of a type.
pub(super) fn metas(kind: &str) -> String {
    format!("{}{kind}{SEPARATOR}", sort("meta"))
}

/// The key of an entry; with an empty key, the prefix of all entries of the actor.
pub(super) fn entry(actor: &Actor, key: &str) -> String {
    format!("{}{SEPARATOR}{key}", of("entry", actor))
}

/// The key of a reminder; with an empty name, the prefix of all reminders of the actor.
pub(super) fn reminder(actor: &Actor, name: &str) -> String {
    format!("{}{SEPARATOR}{name}", of("reminder", actor))
}

/// The beginning of every key of a sort that has shards.
pub(super) fn shards(sort: &str) -> String {
    format!("{RESERVED}actors{SEPARATOR}{sort}/")
}

/// The beginning of every key of one shard of a sort.
pub(super) fn shard_of(sort: &str, shard: Shard) -> String {
    format!("{}{shard}{SEPARATOR}", shards(sort))
}

/// Twenty digits hold every time there is, so within a shard the order of keys is that of times.
pub(super) fn due(actor: &Actor, name: &str, due: u64) -> String {
    due_of(due, &actor.kind, &actor.id, name)
}

fn due_of(due: u64, kind: &str, id: &str, name: &str) -> String {
    let shard = shard_of("due", names::shard(kind, id));
    format!("{shard}{due:020}{SEPARATOR}{kind}{SEPARATOR}{id}{SEPARATOR}{name}")
}

/// The cursor before every row of a shard that is due at this time.
pub(super) fn before(shard: Shard, due: u64) -> String {
    format!("{}{due:020}", shard_of("due", shard))
}

/// The parts of the key of a row of the sort `due`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due<'a> {
    pub shard: Shard,
    pub due: u64,
    pub kind: &'a str,
    pub id: &'a str,
    pub name: &'a str,
}

pub(super) fn parse_due(key: &str) -> Option<Due<'_>> {
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
pub(super) fn parse_shard<'a>(sort: &str, key: &'a str) -> Option<(Shard, &'a str)> {
    let (shard, rest) = key.strip_prefix(&shards(sort))?.split_once(SEPARATOR)?;
    Some((Shard::parse(shard)?, rest))
}

/// Rows of the first format, whose keys have no shard.
pub(super) fn old() -> [Old; 2] {
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
pub(super) fn old_due(actor: &Actor, name: &str, due: u64) -> String {
    let (sort, kind, id) = (sort("due"), &actor.kind, &actor.id);
    format!("{sort}{due:020}{SEPARATOR}{kind}{SEPARATOR}{id}{SEPARATOR}{name}")
}

/// Type and id of a row of the sort `meta`.
pub(super) fn parse_meta(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix(&sort("meta"))?.split_once(SEPARATOR)
}

pub(super) fn outbox(actor: &Actor, turn: u64, number: usize) -> String {
    let (shard, kind, id) = (shard_of("outbox", actor.shard()), &actor.kind, &actor.id);
    format!("{shard}{kind}{SEPARATOR}{id}{SEPARATOR}{turn:020}{SEPARATOR}{number:06}")
}

/// The actor's record, which each commit replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Meta {
    /// A random number, made with the first commit: no other actor of any time has it.
    pub incarnation: u128,
    /// The number of turns that were kept.
    pub turns: u64,
}

impl Meta {
    pub(super) fn new() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        Meta {
            incarnation: u128::from_be_bytes(bytes),
            turns: 0,
        }
    }

    /// The id of an event, the same whenever its row is published.
    pub(super) fn event_id(&self, number: usize) -> String {
        format!("{:032x}-{}-{number}", self.incarnation, self.turns)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reminder {
    /// Milliseconds since 1970.
    pub due: u64,
    pub period: Option<u64>,
    pub data: Binary,
    /// Span of the turn that set it; absent in rows of earlier versions.
    #[serde(
        default,
        deserialize_with = "trace_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<Trace>,
}

impl Reminder {
    /// The first occurrence after `now`; those that were missed are one. None where there is no other.
    pub(super) fn next(&self, now: u64) -> Option<Reminder> {
        let period = self.period?;
        let missed = now.saturating_sub(self.due) / period.max(1);
        let due = self.due.checked_add(period.checked_mul(missed + 1)?)?;
        Some(Reminder {
            due,
            ..self.clone()
        })
    }

    /// The reminder after an occurrence that is given up: the next one or, where there is none, the same after an hour.
    pub(super) fn put_off(&self, now: u64) -> Reminder {
        self.next(now).unwrap_or_else(|| Reminder {
            due: now.saturating_add(PUT_OFF),
            ..self.clone()
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outgoing {
    /// The event's source.
    pub app: String,
    pub component: String,
    pub topic: String,
    pub id: Option<String>,
    pub kind: String,
    pub subject: Option<String>,
    pub content_type: String,
    pub data: Binary,
    pub ordering_key: Option<String>,
    pub extensions: Vec<(String, String)>,
    /// Span of the turn that published it; absent in rows of earlier versions.
    #[serde(
        default,
        deserialize_with = "trace_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<Trace>,
}

impl Outgoing {
    pub(super) fn new(app: &str, component: &str, topic: &str, event: Event) -> Self {
        Outgoing {
            app: app.to_owned(),
            component: component.to_owned(),
            topic: topic.to_owned(),
            id: event.id,
            kind: event.kind,
            subject: event.subject,
            content_type: event.content_type,
            data: Binary(event.data),
            ordering_key: event.ordering_key,
            extensions: event.extensions,
            trace: event.trace,
        }
    }

    pub(super) fn event(self) -> Event {
        Event {
            id: self.id,
            kind: self.kind,
            subject: self.subject,
            content_type: self.content_type,
            data: self.data.0,
            ordering_key: self.ordering_key,
            extensions: self.extensions,
            trace: self.trace,
        }
    }
}

/// Bytes; in JSON, base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Binary(pub Bytes);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(D::Error::custom)?;
        Ok(Binary(bytes.into()))
    }
}

pub(super) fn write<T: Serialize>(row: &T) -> Bytes {
    serde_json::to_vec(row).expect("rows are plain JSON").into()
}

pub(super) fn read<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        // The key has the host's own prefix, which is for the log.
        Error::internal("a record of an actor cannot be read")
            .with_source(format!("{key}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor() -> Actor {
        Actor::new(&"default".parse().unwrap(), "account", "a:1").unwrap()
    }

    #[test]
    fn keys_are_read_back() {
        assert_eq!(meta(&actor()), "||actors||meta||account||a:1");
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

    #[test]
    fn a_reminder_goes_on_by_its_own_grid() {
        let reminder = |period| Reminder {
            due: 100,
            period,
            data: Binary::default(),
            trace: None,
        };
        let next = |now, period| reminder(period).next(now).map(|next| next.due);
        assert_eq!(next(100, None), None);
        assert_eq!(next(100, Some(10)), Some(110));
        assert_eq!(next(109, Some(10)), Some(110));
        assert_eq!(
            next(135, Some(10)),
            Some(140),
            "what was missed is one occurrence"
        );
        assert_eq!(
            next(50, Some(10)),
            Some(110),
            "a clock that was set back moves nothing"
        );
        assert_eq!(next(100, Some(u64::MAX)), None);
        let put_off = |period| reminder(period).put_off(135).due;
        assert_eq!(put_off(Some(10)), 140);
        assert_eq!(put_off(None), 135 + PUT_OFF);
    }
}
