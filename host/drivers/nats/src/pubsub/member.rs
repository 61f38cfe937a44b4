//! A member of a group: two tasks read for it and hold on to what it has, and end as it leaves.

use super::{desk::Desk, reader};
use async_trait::async_trait;
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use wythe_blocks::{
    Error, Kind, Result,
    pubsub::{Consumer, Leave as _, Members, Receipt, Received},
};

pub(super) struct Member {
    desk: Arc<Desk>,
    members: Arc<Members<Desk>>,
    /// One pull at a time.
    pulling: Mutex<()>,
}

impl Member {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tasks belong to the member, and end when it leaves"
    )]
    pub fn new(desk: Arc<Desk>, members: Arc<Members<Desk>>) -> Self {
        tokio::spawn(reader::read(desk.clone()));
        tokio::spawn(reader::hold(desk.clone()));
        Member {
            desk,
            members,
            pulling: Mutex::default(),
        }
    }
}

#[async_trait]
impl Consumer for Member {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let _turn = self.pulling.lock().await;
        let desk = &self.desk;
        loop {
            if desk.has_left() {
                return Err(Error::unavailable("the component is closed"));
            }
            let given = desk.give(max);
            if !given.is_empty() {
                return Ok(given);
            }
            desk.want(max)?;
            desk.arrival.notified().await;
        }
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let mut seen = HashSet::new();
        let mut find = |receipt: &Receipt| {
            let (number, subject) = self.desk.of(receipt)?;
            match seen.insert(number) {
                true => Ok((number, subject)),
                false => Err(Error::not_found("the delivery is settled")),
            }
        };
        let found: Vec<_> = receipts.iter().map(&mut find).collect();
        let subjects = found.iter().flatten().map(|(_, subject)| subject.clone());
        let settled = self.desk.settle(subjects.collect(), "+ACK").await;
        let mut settled = settled.into_iter();
        let answer = |one: Result<(u64, String)>| {
            let (number, _) = one?;
            let answer = settled.next().unwrap_or(Ok(()));
            let is_over = match &answer {
                Ok(()) => true,
                Err(error) => error.kind() == Kind::NotFound,
            };
            if is_over {
                self.desk.forget(number);
            }
            answer
        };
        found.into_iter().map(answer).collect()
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        let (number, subject) = self.desk.of(&receipt)?;
        // It may come again before the answer does.
        self.desk.forget(number);
        self.desk.refuse(subject, delay).await
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.desk.stop.cancel();
        self.members.dismiss(self.desk.clone());
    }
}
