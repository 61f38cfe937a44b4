//! A member of a group: two tasks read for it and hold on to what it has, and end with it.

use super::{desk::Desk, message::text, reader, scripts};
use crate::failure::{Effect, odd};
use async_trait::async_trait;
use redis::Value;
use std::{future::pending, sync::Arc, time::Duration};
use tokio::{sync::Mutex, task::AbortHandle, time::sleep_until};
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Leave as _, Members, Receipt, Received},
};

pub(super) struct Member {
    desk: Arc<Desk>,
    members: Arc<Members<Desk>>,
    /// One pull at a time.
    pulling: Mutex<()>,
    tasks: [AbortHandle; 2],
}

impl Member {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tasks belong to the member, which ends them when it is dropped"
    )]
    pub fn new(desk: Arc<Desk>, members: Arc<Members<Desk>>) -> Self {
        let read = tokio::spawn(reader::read(desk.clone()));
        let look = tokio::spawn(reader::look(desk.clone(), members.left()));
        Member {
            desk,
            members,
            pulling: Mutex::default(),
            tasks: [read.abort_handle(), look.abort_handle()],
        }
    }

    /// Acknowledges messages that are out. The answers say which of them were still its own.
    async fn settle(&self, ids: &[super::message::Id]) -> Result<Vec<bool>> {
        let desk = &self.desk;
        let group = [desk.group.clone()].into_iter();
        let call = scripts::call(&desk.stream, group.chain(ids.iter().map(|id| text(*id))));
        let about = format!("an acknowledgement to `{}`", desk.stream);
        // Done twice it is done, so that it may be asked again.
        let answer = desk.client.run(Effect::Read, &about, &scripts::ACK, &call);
        match answer.await? {
            Value::Array(answers) if answers.len() == ids.len() => {
                Ok(answers.iter().map(|one| *one == Value::Int(1)).collect())
            }
            _ => Err(odd()),
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
            let ready = desk.ready(max);
            if !ready.is_empty() {
                let again = ready.iter().filter(|(_, count)| count.is_some());
                desk.hold(&again.copied().collect::<Vec<_>>()).await?;
                let ids: Vec<_> = ready.into_iter().map(|(id, _)| id).collect();
                let given = desk.give(&ids);
                if !given.is_empty() {
                    return Ok(given);
                }
                continue;
            }
            let next = desk.want(max)?;
            let due = async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = desk.arrival.notified() => {}
                () = due => {}
            }
        }
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let found: Vec<_> = receipts.iter().map(|one| self.desk.of(one)).collect();
        let ids: Vec<_> = found.iter().flatten().copied().collect();
        let settled = match ids.is_empty() {
            true => Ok(Vec::new()),
            false => self.settle(&ids).await,
        };
        let mut answers = match settled {
            Ok(answers) => answers.into_iter(),
            Err(error) => {
                let answer = |one: Result<_>| one.and_then(|_| Err(error.duplicate()));
                return found.into_iter().map(answer).collect();
            }
        };
        let mut answer = |id| {
            self.desk.forget(id);
            match answers.next() {
                Some(true) => Ok(()),
                _ => Err(Error::not_found(
                    "the delivery went to another member, for this one was silent for too long",
                )),
            }
        };
        found
            .into_iter()
            .map(|one| one.and_then(&mut answer))
            .collect()
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        let id = self.desk.of(&receipt)?;
        self.desk.postpone(id, delay);
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.members.dismiss(self.desk.clone());
    }
}
