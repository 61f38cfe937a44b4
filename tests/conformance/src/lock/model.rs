//! Random operations, each compared with what a map would do.

use super::{Subject, steps::*};
use crate::random::Random;
use std::{collections::BTreeMap, time::Duration};
use wythe_blocks::{Kind, lock::Driver};

const STEPS: u64 = 1_500;
const REOPEN_EVERY: u64 = 300;
const SEED: u64 = 11;

struct Model {
    /// The token of each lock that is held.
    held: BTreeMap<&'static str, u64>,
    /// The last token of each key.
    last: BTreeMap<&'static str, u64>,
    random: Random,
}

pub(super) async fn check(mut subject: Subject) {
    let mut model = Model {
        held: BTreeMap::new(),
        last: BTreeMap::new(),
        random: Random::new(SEED),
    };
    for step in 1..=STEPS {
        let driver = subject.driver();
        match model.random.below(16) {
            0..=5 => model.acquire(&*driver).await,
            6..=9 => model.release(&*driver).await,
            10..=12 => model.renew(&*driver).await,
            13..=14 => model.holder(&*driver).await,
            _ => model.end(&*driver).await,
        }
        if driver.features().durable && step % REOPEN_EVERY == 0 {
            drop(driver);
            subject.reopen().await;
            model.compare(&*subject.driver()).await;
        }
    }
    model.compare(&*subject.driver()).await;
}

const KEYS: [&str; 8] = ["a", "a||1", "a||2", "b", "ä", "%", "z", "\u{1}"];

impl Model {
    fn key(&mut self) -> &'static str {
        KEYS[self.random.below(KEYS.len() as u64) as usize]
    }

    /// The token of the grant, that of one before, or a number.
    fn token(&mut self, key: &str) -> u64 {
        let last = self.last.get(key).copied().unwrap_or_default();
        match self.random.below(4) {
            0 => last.wrapping_sub(1),
            1 => self.random.number(),
            _ => last,
        }
    }

    async fn acquire(&mut self, driver: &dyn Driver) {
        let key = self.key();
        let answer = acquire(driver, key, LONG).await.map(|grant| grant.token);
        match (self.held.get(key), answer) {
            (Some(_), None) => {}
            (None, Some(token)) => {
                let last = self.last.insert(key, token);
                assert!(last < Some(token), "`{key}`: {token} after {last:?}");
                self.held.insert(key, token);
            }
            (held, answer) => panic!("`{key}` is held by {held:?}, and answers {answer:?}"),
        }
    }

    fn expected(&self, key: &str, token: u64) -> Result<(), Kind> {
        match self.held.get(key) {
            Some(held) if *held == token => Ok(()),
            _ => Err(Kind::Conflict),
        }
    }

    async fn release(&mut self, driver: &dyn Driver) {
        let key = self.key();
        let token = self.token(key);
        let answer = driver.release(&key.into(), token).await;
        let expected = self.expected(key, token);
        assert_eq!(answer.map_err(|e| e.kind()), expected, "{key} {token}");
        if expected.is_ok() {
            self.held.remove(key);
        }
    }

    async fn renew(&mut self, driver: &dyn Driver) {
        let key = self.key();
        let token = self.token(key);
        let answer = driver.renew(&key.into(), token, LONG).await.map(drop);
        let expected = self.expected(key, token);
        assert_eq!(answer.map_err(|e| e.kind()), expected, "{key} {token}");
    }

    async fn holder(&mut self, driver: &dyn Driver) {
        let key = self.key();
        let held = self.held.get(key).copied();
        assert_eq!(held_by(driver, key).await, held, "{key}");
    }

    /// Ends a grant by its time.
    async fn end(&mut self, driver: &dyn Driver) {
        let key = self.key();
        let Some(token) = self.held.remove(key) else {
            return;
        };
        let moment = Duration::from_millis(1);
        driver
            .renew(&key.into(), token, moment)
            .await
            .expect("a renewal");
        tokio::time::sleep(moment + GRAIN).await;
        assert_eq!(holder(driver, key).await, None, "{key}");
    }

    async fn compare(&self, driver: &dyn Driver) {
        for key in KEYS {
            let held = self.held.get(key).copied();
            assert_eq!(held_by(driver, key).await, held, "{key}");
        }
    }
}
