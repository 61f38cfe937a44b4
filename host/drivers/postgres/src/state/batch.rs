//! Several writes in one transaction. Operations on different keys do not touch each other, so they are done in the order of
//! keys, whatever order they came in: two transactions that take their rows so never wait for each other.

use super::{MAX_OPERATIONS, State};
use crate::{client::Lent, fault::Fault};
use futures::{FutureExt as _, StreamExt as _, TryFutureExt as _, future::BoxFuture, stream};
use std::collections::BTreeSet;
use wythe_blocks::{
    Error, Result,
    state::{Etag, Operation, Put},
};

/// Statements that are under way at once, where none waits for another.
const AHEAD: usize = 32;

/// Each for itself, and all by one commit.
pub(super) async fn put_many(state: &State, puts: Vec<Put>) -> Vec<Result<Etag>> {
    if puts.is_empty() {
        return Vec::new();
    }
    let count = puts.len();
    let operations: Vec<_> = puts.into_iter().map(Operation::Put).collect();
    let done = async {
        let lent = state.held.lend().await?;
        let work = || in_order(state, &lent, &operations).map_ok(Ok);
        lent.atomically(work).await
    };
    match done.await {
        Ok(answers) => answers
            .into_iter()
            .map(|answer: Result<Option<Etag>>| answer.map(Option::unwrap_or_default))
            .collect(),
        Err(error) => (0..count).map(|_| Err(error.duplicate())).collect(),
    }
}

/// All of them, or none where a condition does not hold.
pub(super) async fn transact(
    state: &State,
    operations: Vec<Operation>,
) -> Result<Vec<Option<Etag>>> {
    if operations.len() > MAX_OPERATIONS as usize {
        return Err(Error::invalid(format!(
            "a transaction of {} operations; at most {MAX_OPERATIONS} are allowed",
            operations.len()
        )));
    }
    if operations.is_empty() {
        return state.held.client().map(|_| Vec::new());
    }
    let lent = state.held.lend().await?;
    let work = || {
        let work = in_order(state, &lent, &operations);
        work.map_ok(|answers| answers.into_iter().collect::<Result<Vec<_>>>())
    };
    lent.atomically(work).await
}

type Done = Result<(usize, Result<Option<Etag>>), Fault>;

fn one<'a>(
    state: &'a State,
    lent: &'a Lent,
    place: usize,
    operation: &'a Operation,
) -> BoxFuture<'a, Done> {
    let done = async move {
        let answer = match operation {
            Operation::Put(put) => state.put_one(lent, put).await?.map(Some),
            Operation::Delete(delete) => state.delete_one(lent, delete).await?.map(|()| None),
        };
        Ok((place, answer))
    };
    done.boxed()
}

/// The answers by position.
async fn in_order(
    state: &State,
    lent: &Lent,
    operations: &[Operation],
) -> Result<Vec<Result<Option<Etag>>>, Fault> {
    let mut sorted: Vec<_> = operations.iter().enumerate().collect();
    sorted.sort_by_key(|(_, operation)| operation.key().whole());
    let keys: BTreeSet<_> = operations.iter().map(|one| one.key().whole()).collect();
    // Two of one key are in order for sure only where the second is sent after the answer to the first.
    let ahead = if keys.len() == operations.len() {
        AHEAD
    } else {
        1
    };
    let mut answers: Vec<_> = operations.iter().map(|_| Ok(None)).collect();
    let steps: Vec<_> = sorted
        .into_iter()
        .map(|(place, operation)| one(state, lent, place, operation))
        .collect();
    let mut done = stream::iter(steps).buffered(ahead);
    let mut first = None;
    while let Some(answer) = done.next().await {
        match answer {
            Ok((place, answer)) => answers[place] = answer,
            // What comes after it is refused because of it.
            Err(fault) => first = first.or(Some(fault)),
        }
    }
    match first {
        Some(fault) => Err(fault),
        None => Ok(answers),
    }
}
