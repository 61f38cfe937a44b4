//! Many who want the same lock: one has it, and what it protects is safe.

use super::{Subject, steps::*};
use futures::future::join_all;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use wythe_blocks::lock::Driver;

const CALLERS: usize = 16;
const ROUNDS: usize = 10;

pub(super) async fn one_of_many(subject: Subject) {
    let driver = subject.driver();
    let mut last = 0;
    for _ in 0..20 {
        let tasks = (0..CALLERS).map(|_| {
            let driver = driver.clone();
            tokio::spawn(async move { acquire(&*driver, "key", LONG).await })
        });
        let answers = join_all(tasks).await.into_iter();
        let grants: Vec<_> = answers
            .filter_map(|answer| answer.expect("a task"))
            .collect();
        assert_eq!(grants.len(), 1, "{grants:?}");
        assert!(grants[0].token > last);
        last = grants[0].token;
        release(&*driver, "key", last).await;
    }
}

/// The value that the lock protects: it takes what it is given, unless a later holder was here.
#[derive(Default)]
struct Fenced {
    value: usize,
    mark: u64,
}

impl Fenced {
    fn write(&mut self, value: usize, token: u64) -> bool {
        let is_good = token >= self.mark;
        if is_good {
            (self.value, self.mark) = (value, token);
        }
        is_good
    }
}

fn read(fenced: &Mutex<Fenced>) -> (usize, u64) {
    let fenced = fenced.lock();
    (fenced.value, fenced.mark)
}

fn write(fenced: &Mutex<Fenced>, value: usize, token: u64) -> bool {
    let mut fenced = fenced.lock();
    fenced.write(value, token)
}

async fn count(driver: &dyn Driver, fenced: &Mutex<Fenced>) {
    let grant = loop {
        match acquire(driver, "key", LONG).await {
            Some(grant) => break grant,
            None => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let (value, mark) = read(fenced);
    assert!(grant.token > mark, "{} after {mark}", grant.token);
    // Somebody else who is let in now reads the same value.
    tokio::task::yield_now().await;
    assert!(write(fenced, value + 1, grant.token));
    release(driver, "key", grant.token).await;
}

pub(super) async fn counter(subject: Subject) {
    let (driver, fenced) = (subject.driver(), Arc::<Mutex<Fenced>>::default());
    let tasks = (0..CALLERS).map(|_| {
        let (driver, fenced) = (driver.clone(), fenced.clone());
        tokio::spawn(async move {
            for _ in 0..ROUNDS {
                count(&*driver, &fenced).await;
            }
        })
    });
    for task in join_all(tasks).await {
        task.expect("a task");
    }
    assert_eq!(read(&fenced).0, CALLERS * ROUNDS);
}

pub(super) async fn sleeper(subject: Subject) {
    let (driver, fenced) = (subject.driver(), Mutex::<Fenced>::default());
    let sleeper = take(&*driver, "key", SHORT).await;
    let (seen, _) = read(&fenced);
    tokio::time::sleep(SHORT + GRAIN).await;
    let next = take(&*driver, "key", LONG).await;
    assert!(next.token > sleeper.token);
    assert!(write(&fenced, seen + 10, next.token));
    // It does not know that its time is over; its token does.
    assert!(!write(&fenced, seen + 1, sleeper.token));
    assert_eq!(read(&fenced), (10, next.token));
}
