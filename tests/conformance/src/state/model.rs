//! Random operations, each compared with what a map would do.

use super::{Subject, steps::*};
use crate::random::Random;
use std::collections::BTreeMap;
use wythe_blocks::{
    Key, Kind, Result,
    state::{Condition, Delete, Driver, Etag, Operation, Put, sum},
};

const STEPS: u64 = 2_000;
const REOPEN_EVERY: u64 = 400;
const SEED: u64 = 7;

/// Value and etag by key.
type Map = BTreeMap<String, (Vec<u8>, Etag)>;

struct Model {
    map: Map,
    /// Etags that no entry has any more.
    old: Vec<Etag>,
    random: Random,
}

pub(super) async fn check(mut subject: Subject) {
    let mut model = Model {
        map: Map::new(),
        old: vec!["0".into()],
        random: Random::new(SEED),
    };
    let features = subject.driver().features();
    for step in 1..=STEPS {
        let driver = subject.driver();
        match model.random.below(12) {
            0..=2 => model.put(&*driver).await,
            3 => model.put_many(&*driver).await,
            4..=5 => model.delete(&*driver).await,
            6 => model.get(&*driver).await,
            7 => model.get_many(&*driver).await,
            8 => model.increment(&*driver).await,
            9 if features.list => model.list(&*driver).await,
            10 | 11 if features.transactions => model.transact(&*driver).await,
            _ => {}
        }
        if features.durable && step % REOPEN_EVERY == 0 {
            drop(driver);
            subject.reopen().await;
            model.compare(&*subject.driver()).await;
        }
    }
    model.compare(&*subject.driver()).await;
}

/// Does with the map what one operation does; `etag` is that of the new entry.
fn run(map: &mut Map, operation: &Operation, etag: Etag) -> Result<(), Kind> {
    let (key, condition) = match operation {
        Operation::Put(put) => (&put.key, &put.options.condition),
        Operation::Delete(delete) => (&delete.key, &delete.condition),
    };
    let holds = match (condition, map.get(key.whole())) {
        (Condition::Always, _) | (Condition::Absent, None) => true,
        (Condition::Matches(expected), Some((_, etag))) => expected == etag,
        _ => false,
    };
    if !holds {
        return Err(Kind::Conflict);
    }
    match operation {
        Operation::Put(put) => map.insert(key.to_string(), (put.value.to_vec(), etag)),
        Operation::Delete(_) => map.remove(key.whole()),
    };
    Ok(())
}

impl Model {
    fn key(&mut self) -> String {
        let names = [
            "a", "a||1", "a||2", "a||2|", "b", "ä", "n1", "n2", "%", "a||", "z", "\u{1}",
        ];
        names[self.random.below(names.len() as u64) as usize].to_owned()
    }

    fn value(&mut self) -> Vec<u8> {
        match self.random.below(8) {
            0 => vec![self.random.number() as u8; self.random.below(60_000) as usize],
            1..=3 => format!("{}", self.random.number() as i16).into_bytes(),
            _ => vec![self.random.number() as u8; self.random.below(40) as usize],
        }
    }

    fn condition(&mut self, key: &str) -> Condition {
        let present = self.map.get(key).map(|(_, etag)| etag.clone());
        match (self.random.below(6), present) {
            (0, _) => Condition::Absent,
            (1 | 2, Some(etag)) => Condition::Matches(etag),
            (3, _) => {
                let index = self.random.below(self.old.len() as u64) as usize;
                Condition::Matches(self.old[index].clone())
            }
            _ => Condition::Always,
        }
    }

    fn new_put(&mut self) -> Put {
        let key = self.key();
        let condition = self.condition(&key);
        let mut put = Put::new(key, self.value());
        put.options.condition = condition;
        put
    }

    fn new_delete(&mut self) -> Delete {
        let key = self.key();
        // The block refuses a delete of what must be absent, so no driver is asked for one.
        let condition = match self.condition(&key) {
            Condition::Absent => Condition::Always,
            condition => condition,
        };
        let key = key.into();
        Delete { key, condition }
    }

    /// Remembers the etags that `next` no longer has.
    fn become_next(&mut self, next: Map) {
        let has = |key: &String, etag: &Etag| next.get(key).is_some_and(|(_, new)| new == etag);
        let gone = self
            .map
            .iter()
            .filter(|(key, (_, etag))| !has(key, etag))
            .map(|(_, (_, etag))| etag.clone());
        self.old.extend(gone);
        self.map = next;
    }

    fn expect(&mut self, operation: &Operation, answer: Result<Etag>) {
        let mut next = self.map.clone();
        let etag = answer.as_ref().cloned().unwrap_or_default();
        let expected = run(&mut next, operation, etag);
        assert_eq!(
            answer.map(drop).map_err(|error| error.kind()),
            expected,
            "{operation:?}"
        );
        if expected.is_ok() {
            self.become_next(next);
        }
    }

    async fn put(&mut self, driver: &dyn Driver) {
        let put = self.new_put();
        let answer = driver.put(put.clone()).await;
        self.expect(&Operation::Put(put), answer);
    }

    async fn put_many(&mut self, driver: &dyn Driver) {
        // Items of a batch have no order among them, so each key comes once.
        let mut puts: BTreeMap<String, Put> = BTreeMap::new();
        for _ in 0..self.random.below(6) {
            let put = self.new_put();
            puts.insert(put.key.to_string(), put);
        }
        let puts: Vec<_> = puts.into_values().collect();
        let answers = driver.put_many(puts.clone()).await;
        assert_eq!(answers.len(), puts.len());
        for (put, answer) in puts.into_iter().zip(answers) {
            self.expect(&Operation::Put(put), answer);
        }
    }

    async fn delete(&mut self, driver: &dyn Driver) {
        let delete = self.new_delete();
        let answer = driver.delete(delete.clone()).await;
        self.expect(&Operation::Delete(delete), answer.map(|()| Etag::new()));
    }

    async fn transact(&mut self, driver: &dyn Driver) {
        let count = self.random.below(6);
        let operations: Vec<_> = (0..count)
            .map(|_| match self.random.below(3) {
                0 => Operation::Delete(self.new_delete()),
                _ => Operation::Put(self.new_put()),
            })
            .collect();
        let answer = driver.transact(operations.clone()).await;
        let etags = answer
            .as_ref()
            .cloned()
            .unwrap_or(vec![None; operations.len()]);
        let mut next = self.map.clone();
        let expected = operations
            .iter()
            .zip(etags)
            .try_for_each(|(operation, etag)| run(&mut next, operation, etag.unwrap_or_default()));
        assert_eq!(
            answer.map(drop).map_err(|error| error.kind()),
            expected,
            "{operations:?}"
        );
        if expected.is_ok() {
            self.become_next(next);
        }
    }

    async fn increment(&mut self, driver: &dyn Driver) {
        let key = self.key();
        let delta = self.random.number() as i32 as i64;
        let old = self.map.get(&key).map(|(value, _)| &value[..]);
        let expected = sum(&key, old, delta).map_err(|error| error.kind());
        let answer = driver
            .increment(&Key::from(&key), delta)
            .await
            .map_err(|error| error.kind());
        assert_eq!(answer, expected, "{key} + {delta}");
        if let Ok(sum) = answer {
            let etag = get(driver, &key).await.expect("an entry").etag;
            let mut next = self.map.clone();
            next.insert(key, (sum.to_string().into_bytes(), etag));
            self.become_next(next);
        }
    }

    async fn get(&mut self, driver: &dyn Driver) {
        let key = self.key();
        let found = get(driver, &key)
            .await
            .map(|entry| (entry.value.to_vec(), entry.etag));
        assert!(found.as_ref() == self.map.get(&key), "{key}");
    }

    async fn get_many(&mut self, driver: &dyn Driver) {
        let keys: Vec<_> = (0..self.random.below(5)).map(|_| self.key()).collect();
        for (key, answer) in keys
            .iter()
            .zip(driver.get_many(keys.iter().map(Key::from).collect()).await)
        {
            let found = answer
                .expect("a get")
                .map(|entry| (entry.value.to_vec(), entry.etag));
            assert!(found.as_ref() == self.map.get(key), "{key}");
        }
    }

    async fn list(&mut self, driver: &dyn Driver) {
        let (prefix, cursor) = (
            ["", "a", "a||", "n"][self.random.below(4) as usize],
            self.key(),
        );
        let limit = 1 + self.random.below(8) as u32;
        let page = driver
            .list(prefix, Some(&cursor), limit)
            .await
            .expect("a list");
        let expected: Vec<_> = self
            .map
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && **key > cursor)
            .collect();
        let found: Vec<_> = page
            .entries
            .iter()
            .map(|(key, entry)| (key, &entry.etag))
            .collect();
        let first: Vec<_> = expected
            .iter()
            .take(limit as usize)
            .map(|(key, (_, etag))| (*key, etag))
            .collect();
        assert_eq!(found, first, "list {prefix:?} after {cursor:?}");
        assert_eq!(page.next.is_some(), expected.len() > limit as usize);
    }

    async fn compare(&self, driver: &dyn Driver) {
        for (key, expected) in &self.map {
            let found = get(driver, key)
                .await
                .map(|entry| (entry.value.to_vec(), entry.etag));
            assert!(found.as_ref() == Some(expected), "{key}");
        }
        if driver.features().list {
            let expected: Vec<_> = self.map.keys().cloned().collect();
            assert_eq!(keys(driver, "", 5).await, expected);
        }
    }
}
