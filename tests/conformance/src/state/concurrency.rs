//! Many callers at once.

use super::{Subject, steps::*};
use futures::future::join_all;
use std::sync::Arc;
use wythe_blocks::{
    Kind, Result,
    state::{Condition, Driver, Etag, Operation},
};

const CALLERS: usize = 16;

/// Runs `CALLERS` tasks and returns what they return.
async fn at_once<F>(
    driver: &Arc<dyn Driver>,
    run: impl Fn(Arc<dyn Driver>, usize) -> F,
) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let tasks = (0..CALLERS).map(|caller| tokio::spawn(run(driver.clone(), caller)));
    join_all(tasks)
        .await
        .into_iter()
        .map(|task| task.expect("a task"))
        .collect()
}

fn winners(answers: Vec<Result<Etag>>) -> usize {
    let lost = |answer: &Result<Etag>| {
        answer
            .as_ref()
            .is_err_and(|error| error.kind() == Kind::Conflict)
    };
    assert!(
        answers.iter().all(|answer| answer.is_ok() || lost(answer)),
        "{answers:?}"
    );
    answers.iter().filter(|answer| answer.is_ok()).count()
}

pub(super) async fn one_swap(subject: Subject) {
    let driver = subject.driver();
    for _ in 0..20 {
        let etag = put(&*driver, "key", "old").await;
        let answers = at_once(&driver, |driver, caller| {
            let condition = Condition::Matches(etag.clone());
            async move { put_if(&*driver, "key", &caller.to_string(), condition).await }
        });
        assert_eq!(winners(answers.await), 1);
    }
}

pub(super) async fn one_first(subject: Subject) {
    let driver = subject.driver();
    for round in 0..20 {
        let key = format!("key{round}");
        let answers = at_once(&driver, |driver, caller| {
            let key = key.clone();
            async move { put_if(&*driver, &key, &caller.to_string(), Condition::Absent).await }
        })
        .await;
        let winner = answers.iter().position(Result::is_ok);
        assert_eq!(winners(answers), 1);
        assert_eq!(
            value(&*driver, &key).await,
            winner.map(|caller| caller.to_string())
        );
    }
}

pub(super) async fn swaps(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, "n", "0").await;
    at_once(&driver, |driver, _| async move {
        for _ in 0..5 {
            loop {
                let entry = get(&*driver, "n").await.expect("an entry");
                let next = text(&entry).parse::<u64>().expect("a number") + 1;
                match put_if(
                    &*driver,
                    "n",
                    &next.to_string(),
                    Condition::Matches(entry.etag),
                )
                .await
                {
                    Ok(_) => break,
                    Err(error) => assert_eq!(error.kind(), Kind::Conflict),
                }
            }
        }
    })
    .await;
    assert_eq!(value(&*driver, "n").await, Some((CALLERS * 5).to_string()));
}

pub(super) async fn increments(subject: Subject) {
    let driver = subject.driver();
    let native = driver.features().increment;
    at_once(&driver, |driver, caller| async move {
        for _ in 0..20 {
            // Without an increment of its own a driver may give up after many tries.
            while let Err(error) = driver.increment(&"n".into(), caller as i64).await {
                assert!(!native && error.kind() == Kind::Unavailable, "{error}");
            }
        }
    })
    .await;
    let sum: usize = (0..CALLERS).map(|caller| caller * 20).sum();
    assert_eq!(value(&*driver, "n").await, Some(sum.to_string()));
}

pub(super) async fn read_your_writes(subject: Subject) {
    let driver = subject.driver();
    at_once(&driver, |driver, caller| async move {
        let key = format!("key{caller}");
        for round in 0..50 {
            put(&*driver, &key, &round.to_string()).await;
            assert_eq!(value(&*driver, &key).await, Some(round.to_string()));
        }
    })
    .await;
}

/// Money goes back and forth between two accounts, both checked by etag: no reader may lose or find any.
pub(super) async fn transfers(subject: Subject) {
    let driver = subject.driver();
    let accounts = vec![putting("a", "100"), putting("b", "100")];
    driver.transact(accounts).await.expect("a transaction");
    at_once(&driver, |driver, caller| async move {
        for _ in 0..10 {
            transfer(&*driver, caller as i64 - 7).await;
        }
    })
    .await;
    let (a, b) = (
        balance(&*driver, "a").await.0,
        balance(&*driver, "b").await.0,
    );
    assert_eq!(a + b, 200);
}

async fn balance(driver: &dyn Driver, key: &str) -> (i64, Etag) {
    let entry = get(driver, key).await.expect("an entry");
    (text(&entry).parse().expect("a number"), entry.etag)
}

async fn transfer(driver: &dyn Driver, amount: i64) {
    loop {
        let ((a, a_etag), (b, b_etag)) = (balance(driver, "a").await, balance(driver, "b").await);
        let change = |key, value: i64, etag| {
            Operation::Put(conditional(
                key,
                &value.to_string(),
                Condition::Matches(etag),
            ))
        };
        match driver
            .transact(vec![
                change("a", a - amount, a_etag),
                change("b", b + amount, b_etag),
            ])
            .await
        {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), Kind::Conflict),
        }
    }
}
