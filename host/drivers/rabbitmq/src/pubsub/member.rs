//! A member of a group, as the block has it.

use super::message;
use crate::{
    consumer::{self, Leaving},
    publisher::Publisher,
};
use async_trait::async_trait;
use futures::future::join_all;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Leave, Members, Receipt, Received},
};

/// The part of a member that leaves, with the publisher by which it gives back what it has.
pub(super) struct Exit {
    leaving: Leaving,
    publisher: Arc<Publisher>,
}

#[async_trait]
impl Leave for Exit {
    fn has_left(&self) -> bool {
        self.leaving.has_left()
    }

    async fn leave(&self) -> Result<()> {
        self.leaving.leave(&self.publisher).await
    }

    fn report(&self, error: &Error) {
        tracing::debug!(
            "a member left by the end of its connection: {}",
            error.chain()
        );
    }
}

pub(super) struct Member {
    member: consumer::Member,
    exit: Arc<Exit>,
    members: Arc<Members<Exit>>,
}

impl Member {
    pub fn new(
        member: consumer::Member,
        publisher: Arc<Publisher>,
        members: Arc<Members<Exit>>,
    ) -> Self {
        let leaving = member.leaving();
        let exit = Arc::new(Exit { leaving, publisher });
        members.add(&exit);
        Member {
            member,
            exit,
            members,
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
    fn drop(&mut self) {
        self.members.dismiss(self.exit.clone());
    }
}
