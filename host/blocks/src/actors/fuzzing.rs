//! The rows of actors as a target of the fuzzer.

use super::{
    core::{
        names::{self, Actor},
        record::{Meta, Outgoing, Reminder},
    },
    store::rows,
};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;

/// A sort of rows, and a row of it or a key.
pub fn actors(data: &[u8]) {
    let Some((sort, rest)) = data.split_first() else {
        return;
    };
    match sort % 4 {
        0 => drop(row::<Meta>(rest)),
        1 => {
            if let Some(reminder) = row::<Reminder>(rest) {
                for now in [0, reminder.due, 1 << 42] {
                    let next = reminder.put_off(now).due;
                    assert!(reminder.period == Some(0) || next > now);
                }
            }
        }
        2 => drop(row::<Outgoing>(rest).map(Outgoing::event)),
        _ => std::str::from_utf8(rest).map(key).unwrap_or_default(),
    }
}

/// A row, which is the same once it was written and read again.
fn row<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let row: T = rows::read("key", bytes).ok()?;
    let again = rows::read("key", &rows::write(&row));
    let again: T = again.expect("a row that was written is read");
    assert_eq!(again, row);
    Some(row)
}

fn key(key: &str) {
    rows::parse_meta(key);
    rows::parse_shard("outbox", key);
    for old in rows::old() {
        (old.key)(key);
    }
    let Some(found) = rows::parse_due(key) else {
        return;
    };
    let tenant = "default".parse().expect("a name");
    if let Ok(actor) = Actor::new(&tenant, found.kind, found.id)
        && names::check("reminder", found.name).is_ok()
    {
        let written = rows::due(&actor, found.name, found.due);
        let again = rows::parse_due(&written).expect("a key that was written is read");
        let expected = rows::Due {
            shard: actor.shard(),
            ..found
        };
        assert_eq!(again, expected);
    }
}
