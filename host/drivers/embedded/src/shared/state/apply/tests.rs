//! Writes over a plain map.

use super::*;
use std::time::Duration;
use wythe_blocks::{Key, state::PutOptions};

#[derive(Clone, Debug, Default, PartialEq)]
struct Map(BTreeMap<String, Record>);

impl Table for Map {
    fn version(&self, key: &str) -> Result<Option<Version>> {
        Ok(self.0.get(key).map(|record| record.version))
    }

    fn get(&self, key: &str) -> Result<Option<Record>> {
        Ok(self.0.get(key).cloned())
    }

    fn length(&self, key: &str) -> Result<Option<u64>> {
        Ok(self.0.get(key).map(Record::length))
    }

    fn set(&mut self, key: &str, record: Option<Record>) -> Result<Option<u64>> {
        let old = match record {
            Some(record) => self.0.insert(key.to_owned(), record),
            None => self.0.remove(key),
        };
        Ok(old.as_ref().map(Record::length))
    }
}

fn write(key: &str, value: &str, condition: Condition, ttl: Option<u64>) -> Put {
    let ttl = ttl.map(Duration::from_nanos);
    Put {
        options: PutOptions {
            condition,
            ttl,
            ..PutOptions::default()
        },
        ..Put::new(key, value.to_owned())
    }
}

fn kind(result: Result<impl std::fmt::Debug>) -> Kind {
    result.unwrap_err().kind()
}

#[test]
fn conditions_see_the_entry() {
    let mut map = Map::default();
    let matches = |etag: &Etag| Condition::Matches(etag.clone());
    let absent = put(
        &mut map,
        write("a", "0", Condition::Matches("0".into()), None),
        0,
    );
    assert_eq!(kind(absent), Kind::Conflict);
    let first = put(&mut map, write("a", "1", Condition::Absent, None), 0).unwrap();
    assert_eq!(
        kind(put(&mut map, write("a", "2", Condition::Absent, None), 0)),
        Kind::Conflict
    );
    let second = put(&mut map, write("a", "3", matches(&first), None), 0).unwrap();
    assert_ne!(first, second);
    assert_eq!(
        kind(put(&mut map, write("a", "4", matches(&first), None), 0)),
        Kind::Conflict
    );
    let delete_with = |condition| Delete {
        key: "a".into(),
        condition,
    };
    assert_eq!(
        kind(delete(&mut map, &delete_with(matches(&first)), 0)),
        Kind::Conflict
    );
    assert_eq!(&map.0["a"].value[..], b"3");
    delete(&mut map, &delete_with(matches(&second)), 0).unwrap();
    assert!(map.0.is_empty());
}

#[test]
fn messages_name_the_key_and_no_etag() {
    let mut map = Map::default();
    let write = |key, value, condition, ttl| {
        let put = write(key, value, condition, ttl);
        let key = Key::new("space||", key);
        Put { key, ..put }
    };
    let etag = put(&mut map, write("a", "1", Condition::Always, None), 0).unwrap();
    let error = put(
        &mut map,
        write("a", "2", Condition::Matches("old".into()), None),
        0,
    )
    .unwrap_err();
    assert_eq!(
        error.message(),
        "`a` has changed; expected the entry with the given etag"
    );
    assert!(!error.message().contains(&etag));
    let mut fenced = write("n", "x", Condition::Always, None);
    fenced.options.fence = Some(2);
    put(&mut map, fenced.clone(), 0).unwrap();
    let key = Key::new("space||", "n");
    assert_eq!(
        increment(&mut map, &key, 1, 0).unwrap_err().message(),
        "the value of `n` is no decimal integer of 64 bits"
    );
    fenced.options.fence = Some(1);
    fenced.key = key;
    assert_eq!(
        put(&mut map, fenced, 0).unwrap_err().message(),
        "`n` was written with fence 2; expected at least that, found 1"
    );
}

#[test]
fn time_is_over_exactly_at_the_expiry() {
    let mut map = Map::default();
    put(&mut map, write("a", "1", Condition::Always, Some(10)), 100).unwrap();
    assert_eq!(
        kind(put(&mut map, write("a", "2", Condition::Absent, None), 109)),
        Kind::Conflict
    );
    put(&mut map, write("a", "2", Condition::Absent, None), 110).unwrap();
    assert_eq!(map.0["a"].version.expires, None);
}

#[test]
fn an_expiry_beyond_the_end_of_time_is_none() {
    let mut map = Map::default();
    put(
        &mut map,
        write("a", "1", Condition::Always, Some(u64::MAX)),
        100,
    )
    .unwrap();
    assert_eq!(map.0["a"].version.expires, None);
}

#[test]
fn an_increment_keeps_the_expiry_and_starts_again_after_it() {
    let mut map = Map::default();
    put(&mut map, write("n", "40", Condition::Always, Some(10)), 100).unwrap();
    assert_eq!(increment(&mut map, &"n".into(), 2, 109).unwrap(), 42);
    assert_eq!(map.0["n"].version.expires, Some(110));
    assert_eq!(increment(&mut map, &"n".into(), 2, 110).unwrap(), 2);
    assert_eq!(map.0["n"].version.expires, None);
}

#[test]
fn a_failed_transaction_leaves_nothing() {
    let mut map = Map::default();
    put(&mut map, write("a", "1", Condition::Always, None), 0).unwrap();
    let before = map.clone();
    let operations = vec![
        Operation::Put(write("a", "2", Condition::Always, None)),
        Operation::Delete(Delete {
            key: "a".into(),
            condition: Condition::Always,
        }),
        Operation::Put(write("b", "1", Condition::Absent, None)),
        Operation::Put(write("b", "2", Condition::Absent, None)),
    ];
    assert_eq!(kind(transact(&mut map, operations, 0)), Kind::Conflict);
    assert_eq!(map, before);
}

#[test]
fn a_transaction_is_in_order_and_sees_itself() {
    let mut map = Map::default();
    put(&mut map, write("a", "1", Condition::Always, None), 0).unwrap();
    let operations = vec![
        Operation::Delete(Delete {
            key: "a".into(),
            condition: Condition::Always,
        }),
        Operation::Put(write("a", "2", Condition::Absent, None)),
        Operation::Put(write("b", "1", Condition::Absent, None)),
        Operation::Delete(Delete {
            key: "b".into(),
            condition: Condition::Always,
        }),
    ];
    let etags = transact(&mut map, operations, 0).unwrap();
    assert_eq!(
        etags.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, true, true, false]
    );
    assert_eq!(map.0.len(), 1);
    assert_eq!(
        etag::to_text(map.0["a"].version.etag),
        *etags[1].as_ref().unwrap()
    );
}

#[test]
fn a_transaction_has_a_limit() {
    let delete = Operation::Delete(Delete {
        key: "a".into(),
        condition: Condition::Always,
    });
    let error = transact(&mut Map::default(), vec![delete; 1_001], 0).unwrap_err();
    assert_eq!(
        error.message(),
        "a transaction of 1001 operations; at most 1000 are allowed"
    );
}
