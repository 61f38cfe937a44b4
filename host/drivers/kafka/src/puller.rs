//! A subscription's place at a group: it takes what waits, and gives back what it has when it goes.

use crate::{
    desk::{Desk, Given, Taken},
    group::Group,
    pubsub::message,
};
use async_trait::async_trait;
use futures::future::{join_all, pending};
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::time::{sleep_until, timeout};
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Receipt, Received},
    random,
};

/// The time for which an acknowledgement waits for the cluster.
const NOTED: Duration = Duration::from_secs(30);

pub(crate) struct Puller {
    group: Arc<Group>,
    desk: Arc<Desk>,
    number: u64,
}

impl Puller {
    /// Takes a seat at a topic of a group; absent where the group is ending.
    pub fn sit(group: &Arc<Group>, topic: &str) -> Option<Self> {
        Some(Puller {
            desk: group.sit(topic)?,
            group: group.clone(),
            number: random::next(),
        })
    }

    /// The topic that it reads.
    pub fn topic(&self) -> &str {
        &self.desk.topic
    }

    /// Waits for messages, and takes at most so many.
    pub async fn take(&self, max: usize) -> Result<Vec<Taken>> {
        loop {
            let mut arrival = pin!(self.desk.arrival.notified());
            // What comes from here on wakes it.
            arrival.as_mut().enable();
            let due = match self.desk.give(self.number, max.max(1))? {
                Given::Some(given) => return Ok(given),
                Given::None(due) => due,
            };
            let due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = arrival => {}
                () = due => {}
            }
        }
    }
}

#[async_trait]
impl Consumer for Puller {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let taken = self.take(max).await?.into_iter();
        let received = taken.map(|taken| Received {
            message: message::read(taken.record),
            attempt: taken.attempt,
            receipt: taken.receipt,
        });
        Ok(received.collect())
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let settled = self.desk.settle(&receipts);
        self.group.touch();
        let noted = settled
            .into_iter()
            .map(async |settled| match timeout(NOTED, settled?).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Error::not_found(
                    "the partition went to another member of the group, which delivers again",
                )),
                Err(_) => Err(Error::unavailable(
                    "the cluster did not note an acknowledgement in time",
                )),
            });
        join_all(noted).await
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        let refused = self.desk.refuse(&receipt, delay);
        self.group.touch();
        refused
    }
}

impl Drop for Puller {
    fn drop(&mut self) {
        self.desk.take_back(self.number);
        self.group.rise(&self.desk.topic);
    }
}
