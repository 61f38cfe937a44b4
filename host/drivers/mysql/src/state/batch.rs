//! Several writes in one transaction. Operations on different keys do not touch each other, so they are done in the order of
//! keys, whatever order they came in: two transactions that take their rows so never wait for each other.

use super::{MAX_OPERATIONS, State, sql};
use crate::{
    client::{Lent, Work},
    fault::Fault,
    rows::Value,
};
use async_trait::async_trait;
use std::collections::HashMap;
use wythe_blocks::{
    Error, Key, Result,
    state::{Condition, Driver as _, Entry, Etag, MAX_ANSWER, Operation, Put, beyond},
};

/// Keys of one statement: few statements are ready, and the rest of their places have the last key again.
const SIZES: [usize; 3] = [1, 16, 128];

/// Reads several entries, those of one statement at a time, until the values have as many bytes as an answer may.
pub(super) async fn get_many(state: &State, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
    let (mut answers, mut size) = (Vec::with_capacity(keys.len()), 0);
    for chunk in keys.chunks(SIZES[2]) {
        let found = match size < MAX_ANSWER {
            true => several(state, chunk).await,
            false => Ok(HashMap::new()),
        };
        for key in chunk {
            answers.push(match &found {
                _ if size >= MAX_ANSWER => Err(beyond()),
                Err(error) => Err(error.duplicate()),
                Ok(found) => {
                    let entry = found.get(key.whole()).cloned();
                    size += entry.as_ref().map_or(0, |entry| entry.value.len());
                    Ok(entry)
                }
            });
        }
    }
    answers
}

/// The entries of at most so many keys as one statement has.
async fn several(state: &State, keys: &[Key]) -> Result<HashMap<String, Entry>> {
    let all: Vec<_> = keys.iter().collect();
    let (count, values) = placed(&all);
    let answer = state
        .held
        .lend()
        .await?
        .execute(&state.sql.get_many(count), &values)
        .await;
    let rows = match answer {
        Ok(answer) => answer.rows,
        // They are large, and few of them have room in an answer.
        Err(Fault::Beyond) => return one_by_one(state, keys).await,
        Err(fault) => return Err(fault.of_read()),
    };
    let entries = rows.iter().map(sql::named);
    entries.collect::<Result<_, _>>().map_err(Fault::of_read)
}

async fn one_by_one(state: &State, keys: &[Key]) -> Result<HashMap<String, Entry>> {
    let (mut found, mut size) = (HashMap::new(), 0);
    for key in keys {
        if size >= MAX_ANSWER {
            break;
        }
        if let Some(entry) = state.get(key).await? {
            size += entry.value.len();
            found.insert(key.whole().to_owned(), entry);
        }
    }
    Ok(found)
}

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
        in_order(self.0, lent, self.1, false).await.map(Ok)
    }
}

/// Operations of which one that is refused takes back all.
struct All<'a>(&'a State, &'a [Operation]);

#[async_trait]
impl Work for All<'_> {
    type Done = Vec<Option<Etag>>;

    async fn run(&self, lent: &mut Lent) -> Result<Result<Self::Done>, Fault> {
        let answers = in_order(self.0, lent, self.1, true).await?;
        Ok(answers.into_iter().collect())
    }
}

/// The answers by position; where all of them go together, nothing is done after the first that is refused.
async fn in_order(
    state: &State,
    lent: &mut Lent,
    operations: &[Operation],
    are_one: bool,
) -> Result<Vec<Result<Option<Etag>>>, Fault> {
    let mut sorted: Vec<_> = operations.iter().enumerate().collect();
    sorted.sort_by_key(|(_, operation)| operation.key().whole());
    let mut answers: Vec<_> = operations.iter().map(|_| Ok(None)).collect();
    let are_both_plain = |one: &(usize, &Operation), other: &(usize, &Operation)| {
        is_plain_delete(one.1) && is_plain_delete(other.1)
    };
    for run in sorted.chunk_by(are_both_plain) {
        match run {
            [(place, Operation::Put(put))] => {
                answers[*place] = state.put_one(lent, put).await?.map(Some);
            }
            [(place, Operation::Delete(delete))] => {
                answers[*place] = state.delete_one(lent, delete).await?.map(|()| None);
            }
            deletes => delete_all(state, lent, deletes).await?,
        }
        if are_one && run.iter().any(|(place, _)| answers[*place].is_err()) {
            break;
        }
    }
    Ok(answers)
}

/// Returns whether an operation removes what is there, whatever it is.
fn is_plain_delete(operation: &Operation) -> bool {
    matches!(operation, Operation::Delete(delete) if delete.condition == Condition::Always)
}

/// Removes several entries, those of one statement at a time.
async fn delete_all(
    state: &State,
    lent: &mut Lent,
    deletes: &[(usize, &Operation)],
) -> Result<(), Fault> {
    for chunk in deletes.chunks(SIZES[2]) {
        let keys: Vec<_> = chunk.iter().map(|(_, delete)| delete.key()).collect();
        let (count, values) = placed(&keys);
        lent.execute(&state.sql.delete_many(count), &values).await?;
    }
    Ok(())
}

/// The number of places of a statement that has room for keys, and what is in each.
fn placed<'a>(keys: &[&'a Key]) -> (usize, Vec<Value<'a>>) {
    let mut sizes = SIZES.into_iter();
    let count = sizes.find(|size| *size >= keys.len()).unwrap_or(SIZES[2]);
    let all = keys
        .iter()
        .chain(keys.last().into_iter().cycle())
        .take(count);
    let values = all.map(|key| Value::Bytes(key.whole().as_bytes()));
    (count, values.collect())
}
