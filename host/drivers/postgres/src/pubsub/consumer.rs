//! A member of a group: it takes deliveries, and gives its verdicts.

use super::{
    members::{Joined, Members},
    store::{Store, message},
};
use crate::{
    client::{Value, column, microseconds},
    fault::Fault,
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, VecDeque},
    pin::pin,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Mutex, task::JoinHandle, time::timeout};
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Message, Receipt, Received},
    time::{NEVER, milliseconds},
};

/// Time between two looks where nothing is heard.
const LOOK: Duration = Duration::from_secs(1);
const SOONEST: Duration = Duration::from_millis(1);

pub(super) struct Member {
    members: Arc<Members>,
    joined: Joined,
    taking: Mutex<Taking>,
}

/// Deliveries on their way. A pull that is dropped leaves them here for the next one.
#[derive(Default)]
struct Taking {
    under_way: Option<JoinHandle<Result<Vec<Received>>>>,
    ready: VecDeque<Received>,
}

impl Member {
    pub fn new(members: Arc<Members>, joined: Joined) -> Self {
        Member {
            members,
            joined,
            taking: Mutex::default(),
        }
    }

    fn store(&self) -> &Store {
        &self.members.store
    }

    /// Time until a delivery is due that is not now, at count a second.
    async fn soonest(&self) -> Result<Duration> {
        let lent = self.store().held.lend().await?;
        let Joined { topic, group, .. } = &self.joined;
        let row = lent
            .row(&self.store().sql.taking.soonest, &[topic, &Some(group)])
            .await;
        let left = row.and_then(|row| row.map_or(Ok(None), |row| column::<Option<i64>>(&row, 0)));
        let left = left.map_err(Fault::of_read)?;
        let left = left.and_then(|left| u64::try_from(left).ok());
        let left = left.map_or(LOOK, Duration::from_millis);
        Ok(left.clamp(SOONEST, LOOK))
    }

    /// The ids of receipts by their place; none for what is no receipt, or comes a second time.
    fn known(receipts: &[Receipt]) -> Vec<Option<(i64, i32)>> {
        let mut seen = std::collections::BTreeSet::new();
        receipts
            .iter()
            .map(|receipt| opened(receipt).filter(|known| seen.insert(*known)))
            .collect()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(task) = self.taking.get_mut().under_way.take() {
            task.abort();
        }
        self.members.leave(&self.joined.id);
    }
}

/// Takes deliveries that are due, up to so many.
async fn take(members: Arc<Members>, joined: Joined, max: usize) -> Result<Vec<Received>> {
    let store = &members.store;
    let lent = store.held.lend().await?;
    let count = i64::try_from(max).unwrap_or(i64::MAX);
    let lease = i64::try_from(milliseconds(store.lease)).unwrap_or(i64::MAX);
    let values: [Value<'_>; 5] = [&joined.topic, &joined.group, &count, &joined.id, &lease];
    let rows = lent.rows(&store.sql.taking.take, &values, max).await;
    // What is taken and not heard of is free again when its time is over.
    let rows = rows.map_err(Fault::of_read)?;
    let mut taken = BTreeMap::new();
    for row in &rows {
        let read = || {
            let (id, attempts): (i64, i32) = (column(row, 0)?, column(row, 1)?);
            let received = Received {
                message: message(row, 2)?,
                attempt: u32::try_from(attempts).unwrap_or(1),
                receipt: receipt(id, attempts),
            };
            Ok((id, received))
        };
        let (id, received) = read().map_err(Fault::of_read)?;
        taken.insert(id, received);
    }
    members.note(&joined.id, taken.keys().copied());
    Ok(taken.into_values().collect())
}

fn receipt(id: i64, attempts: i32) -> Receipt {
    let mut receipt = id.to_be_bytes().to_vec();
    receipt.extend(attempts.to_be_bytes());
    receipt
}

fn opened(receipt: &[u8]) -> Option<(i64, i32)> {
    let (id, attempts) = receipt.split_first_chunk()?;
    Some((
        i64::from_be_bytes(*id),
        i32::from_be_bytes(attempts.try_into().ok()?),
    ))
}

fn over() -> Error {
    Error::not_found("the delivery is settled, or was taken from this member")
}

#[async_trait]
impl Consumer for Member {
    #[expect(
        clippy::disallowed_methods,
        reason = "the task belongs to the member, which ends it when it is dropped"
    )]
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let max = max.max(1);
        let mut taking = self.taking.lock().await;
        loop {
            let mut heard = pin!(self.store().wake.notified());
            heard.as_mut().enable();
            if taking.ready.is_empty() {
                let start = || tokio::spawn(take(self.members.clone(), self.joined.clone(), max));
                let task = taking.under_way.get_or_insert_with(start);
                let taken = task.await;
                taking.under_way = None;
                let taken = taken.map_err(|error| {
                    Error::internal("the task that takes deliveries failed").with_source(error)
                })?;
                taking.ready.extend(taken?);
            }
            if !taking.ready.is_empty() {
                let count = max.min(taking.ready.len());
                return Ok(taking.ready.drain(..count).collect());
            }
            let wait = self.soonest().await?;
            _ = timeout(wait, heard).await;
        }
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let known = Self::known(&receipts);
        let (ids, attempts): (Vec<i64>, Vec<i32>) = known.iter().copied().flatten().unzip();
        let done = async {
            let lent = self.store().held.lend().await?;
            let values: [Value<'_>; 3] = [&self.joined.id, &ids, &attempts];
            let rows = lent
                .rows(&self.store().sql.taking.ack, &values, ids.len())
                .await;
            let done = rows.and_then(|rows| rows.iter().map(|row| column(row, 0)).collect());
            done.map_err(Fault::of_write)
        };
        let done: Result<Vec<i64>> = done.await;
        match done {
            Err(error) => known.iter().map(|_| Err(error.duplicate())).collect(),
            Ok(done) => {
                self.members.forget(&self.joined.id, &ids);
                // Another one with the same ordering key may be next.
                self.store().wake.notify_waiters();
                let is_done =
                    |one: &Option<(i64, i32)>| one.is_some_and(|(id, _)| done.contains(&id));
                let answer = |one| if is_done(one) { Ok(()) } else { Err(over()) };
                known.iter().map(answer).collect()
            }
        }
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        let (id, attempts) = opened(&receipt).ok_or_else(over)?;
        let lent = self.store().held.lend().await?;
        let delay = microseconds(delay.min(NEVER));
        let values: [Value<'_>; 4] = [&self.joined.id, &id, &attempts, &delay];
        let freed = lent.execute(&self.store().sql.taking.nack, &values).await;
        let freed = freed.map_err(Fault::of_write)?;
        self.members.forget(&self.joined.id, &[id]);
        self.store().wake.notify_waiters();
        match freed {
            0 => Err(over()),
            _ => Ok(()),
        }
    }

    async fn bury(&self, receipt: Receipt, topic: &str, letter: Message) -> Result<()> {
        let (id, attempts) = opened(&receipt).ok_or_else(over)?;
        let store = self.store();
        let lent = store.held.lend().await?;
        let (ids, counts) = ([id].to_vec(), [attempts].to_vec());
        let remove = || async {
            let values: [Value<'_>; 3] = [&self.joined.id, &ids, &counts];
            let gone = lent.rows(&store.sql.taking.ack, &values, 1).await?;
            Ok(match gone.is_empty() {
                true => Err(over()),
                false => Ok(()),
            })
        };
        store.in_place(&lent, topic, &letter, remove).await?;
        self.members.forget(&self.joined.id, &[id]);
        Ok(())
    }
}
