//! A member of a group, as the block has it.

use super::message;
use crate::{consumer, publisher::Publisher};
use async_trait::async_trait;
use futures::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::sync::RwLock;
use wythe_blocks::{
    Result,
    pubsub::{Consumer, Receipt, Received},
};

pub(super) struct Member {
    member: consumer::Member,
    publisher: Arc<Publisher>,
    /// Held while it leaves.
    leaving: Arc<RwLock<()>>,
}

impl Member {
    pub fn new(
        member: consumer::Member,
        publisher: Arc<Publisher>,
        leaving: Arc<RwLock<()>>,
    ) -> Self {
        Member {
            member,
            publisher,
            leaving,
        }
    }
}

#[async_trait]
impl Consumer for Member {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let given = self.member.pull(max).await?.into_iter();
        let received = given.map(|given| Received {
            message: message::read(given.data, &given.properties),
            attempt: given.attempt,
            receipt: given.receipt,
        });
        Ok(received.collect())
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        // Each is settled by its first step, so that the second of two equal ones is not found.
        let acked = receipts.iter().map(|receipt| self.member.ack(receipt));
        join_all(acked).await
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        self.member.postpone(&receipt, delay)
    }
}

impl Drop for Member {
    #[expect(
        clippy::disallowed_methods,
        reason = "a task of a few calls, which gives back what the member has"
    )]
    fn drop(&mut self) {
        let leaving = self.member.leaving();
        // Without a runtime the process is at its end; the server gives to others what it has.
        if leaving.has_left() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let held = self.leaving.clone().try_read_owned();
        let publisher = self.publisher.clone();
        tokio::spawn(async move {
            if let Err(error) = leaving.leave(&publisher).await {
                tracing::debug!(
                    "a member left by the end of its connection: {}",
                    error.chain()
                );
            }
            drop(held);
        });
    }
}
