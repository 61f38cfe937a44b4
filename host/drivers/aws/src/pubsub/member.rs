//! A member of a group, for one topic.

use super::hub::Hub;
use async_trait::async_trait;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::sync::Mutex;
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Receipt, Received},
};

/// Says whether the hub ends as it has no member any more, and takes it off the list then.
type Ended = dyn Fn(&Arc<Hub>) -> bool + Send + Sync;

pub(super) struct Member {
    hub: Arc<Hub>,
    topic: String,
    number: u64,
    /// The text before the numbers of its receipts.
    name: String,
    /// One pull at a time.
    pulling: Mutex<()>,
    ended: Box<Ended>,
}

impl Member {
    pub fn new(
        hub: Arc<Hub>,
        topic: String,
        name: String,
        ended: impl Fn(&Arc<Hub>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Member {
            number: hub.enter(&topic),
            hub,
            topic,
            name,
            pulling: Mutex::default(),
            ended: Box::new(ended),
        }
    }

    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// The number of a delivery, from its receipt.
    fn opened(&self, receipt: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(receipt).ok()?;
        let (name, number) = text.split_once(' ')?;
        number.parse().ok().filter(|_| name == self.name)
    }
}

fn over() -> Error {
    Error::not_found("the delivery is settled, or another one's")
}

#[async_trait]
impl Consumer for Member {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let _turn = self.pulling.lock().await;
        let _waiting = self.hub.wait(&self.topic);
        loop {
            let mut heard = pin!(self.hub.arrival.notified());
            heard.as_mut().enable();
            if self.hub.is_over() {
                return Err(Error::unavailable("the component is closed"));
            }
            let given = self.hub.give(&self.topic, self.number, max)?;
            if !given.is_empty() {
                let received = given.into_iter().map(|one| Received {
                    message: one.message,
                    attempt: one.attempt,
                    receipt: format!("{} {}", self.name, one.number).into_bytes(),
                });
                return Ok(received.collect());
            }
            // What the shelf had may have been too old.
            self.hub.ask();
            heard.await;
        }
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let numbers: Vec<_> = receipts.iter().map(|one| self.opened(one)).collect();
        let known = self.hub.of(self.number, &numbers);
        let handles: Vec<_> = known.iter().flatten().cloned().collect();
        let done = match handles.is_empty() {
            true => Ok(Vec::new()),
            false => self.hub.queue().delete(&handles).await,
        };
        let mut done = match done {
            Ok(done) => done.into_iter(),
            Err(fault) => {
                let error = fault.of_read("an acknowledgement");
                let answer = |one: &Option<String>| match one {
                    Some(_) => Err(error.duplicate()),
                    None => Err(over()),
                };
                return known.iter().map(answer).collect();
            }
        };
        let mut answer = |(one, number): (Option<String>, Option<u64>)| {
            one.ok_or_else(over)?;
            match done.next() {
                Some(true) => {
                    number.iter().for_each(|number| self.hub.forget(*number));
                    Ok(())
                }
                _ => Err(Error::unavailable("the service did not delete the message")),
            }
        };
        known.into_iter().zip(numbers).map(&mut answer).collect()
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        let number = self.opened(&receipt);
        let found = self.hub.of(self.number, &[number]).pop().flatten();
        let (Some(number), Some(handle)) = (number, found) else {
            return Err(over());
        };
        let hidden = self.hub.queue().hide(&[handle], delay).await;
        hidden.map_err(|fault| fault.of_read("a refusal"))?;
        self.hub.forget(number);
        Ok(())
    }
}

impl Drop for Member {
    #[expect(
        clippy::disallowed_methods,
        reason = "a task of one call, which gives back what the member has"
    )]
    fn drop(&mut self) {
        let handles = self.hub.leave(&self.topic, self.number);
        let ends = (self.ended)(&self.hub);
        // Without a runtime the process is at its end; others get its messages once their time is over.
        if tokio::runtime::Handle::try_current().is_err() || self.hub.is_over() {
            return;
        }
        let hub = self.hub.clone();
        tokio::spawn(async move {
            hub.give_back(handles).await;
            if ends {
                hub.end().await;
            }
        });
    }
}
