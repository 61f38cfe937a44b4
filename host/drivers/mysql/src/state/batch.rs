//! Several writes in one transaction. Operations on different keys do not touch each other, so they are done in the order of
//! keys, whatever order they came in: two transactions that take their rows so never wait for each other.

use super::{MAX_OPERATIONS, State};
use crate::{
    client::{Lent, Work},
    fault::Fault,
};
use async_trait::async_trait;
use wythe_blocks::{
    Error, Result,
    state::{Etag, Operation, Put},
};

/// Each for itself, and all by one commit.
pub(super) async fn put_many(state: &State, puts: Vec<Put>) -> Vec<Result<Etag>> {
    if puts.is_empty() {
        return Vec::new();
    }
    let count = puts.len();
    let operations: Vec<_> = puts.into_iter().map(Operation::Put).collect();
    let done = async {
        let mut lent = state.held.lend().await?;
        lent.atomically(&Each(state, &operations)).await
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
    let mut lent = state.held.lend().await?;
    lent.atomically(&All(state, &operations)).await
}

/// Operations that are refused each for itself.
struct Each<'a>(&'a State, &'a [Operation]);

#[async_trait]
impl Work for Each<'_> {
    type Done = Vec<Result<Option<Etag>>>;

    async fn run(&self, lent: &mut Lent) -> Result<Result<Self::Done>, Fault> {
        in_order(self.0, lent, self.1).await.map(Ok)
    }
}

/// Operations of which one that is refused takes back all.
struct All<'a>(&'a State, &'a [Operation]);

#[async_trait]
impl Work for All<'_> {
    type Done = Vec<Option<Etag>>;

    async fn run(&self, lent: &mut Lent) -> Result<Result<Self::Done>, Fault> {
        let answers = in_order(self.0, lent, self.1).await?;
        Ok(answers.into_iter().collect())
    }
}

/// The answers by position.
async fn in_order(
    state: &State,
    lent: &mut Lent,
    operations: &[Operation],
) -> Result<Vec<Result<Option<Etag>>>, Fault> {
    let mut sorted: Vec<_> = operations.iter().enumerate().collect();
    sorted.sort_by_key(|(_, operation)| operation.key().whole());
    let mut answers: Vec<_> = operations.iter().map(|_| Ok(None)).collect();
    for (place, operation) in sorted {
        answers[place] = match operation {
            Operation::Put(put) => state.put_one(lent, put).await?.map(Some),
            Operation::Delete(delete) => state.delete_one(lent, delete).await?.map(|()| None),
        };
    }
    Ok(answers)
}
