//! A member of a queue: it asks the server for as many messages as somebody waits for, and gives back what it has when it
//! leaves.

mod count;
mod desk;
mod reader;

pub(crate) use desk::Given;

use crate::{
    client::{Client, Side},
    fault,
    publisher::{Answer, Outgoing, Publisher},
    queue::Queue,
};
use desk::{Desk, Incoming, Left};
use futures::future::pending;
use lapin::{
    Channel,
    options::{BasicAckOptions, QueueDeleteOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    task::AbortHandle,
    time::{Instant, sleep_until, timeout, timeout_at},
};
use wythe_blocks::{Error, Result, random, time::Clock as _};

/// The time for which a pull that has one message waits for those that come with it.
const TOGETHER: Duration = Duration::from_millis(2);

/// The place that a member reads.
pub(crate) struct Source {
    pub client: Arc<Client>,
    pub queue: Queue,
    /// Messages that a member has at most, those that come again later among them.
    pub prefetch: u16,
}

pub(crate) struct Member {
    source: Arc<Source>,
    desk: Arc<Desk>,
    /// One pull at a time.
    pulling: tokio::sync::Mutex<()>,
    task: AbortHandle,
}

impl Member {
    /// Makes the queue where it is missing; messages come with the first pull.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task belongs to the member, and ends with it"
    )]
    pub async fn join(source: Source) -> Result<Self> {
        let opened = reader::open(&source).await?;
        let desk = Arc::new(Desk::new(random::next(), source.prefetch.into()));
        let source = Arc::new(source);
        let task = tokio::spawn(reader::read(source.clone(), desk.clone(), opened));
        Ok(Member {
            source,
            desk,
            pulling: tokio::sync::Mutex::default(),
            task: task.abort_handle(),
        })
    }

    /// Waits for at least one message, and returns up to `max`. Dropping the future loses none.
    pub async fn pull(&self, max: usize) -> Result<Vec<Given>> {
        let _turn = self.pulling.lock().await;
        let (desk, max) = (&self.desk, max.max(1));
        let want = match self.source.queue.is_single {
            // Another consumer of it would be given nothing.
            true => self.source.prefetch.into(),
            false => max,
        };
        loop {
            if desk.has(1) {
                let more = async {
                    while !desk.has(max) {
                        desk.arrival.notified().await;
                    }
                };
                let _ = timeout(TOGETHER, more).await;
            }
            let given = desk.give(max);
            if !given.is_empty() {
                return Ok(given);
            }
            let next = desk.want(want)?;
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

    /// Acknowledges a delivery, within the time of a request.
    pub async fn ack(&self, receipt: &[u8]) -> Result<()> {
        let acked = timeout(self.source.client.target.timeout, self.desk.ack(receipt)).await;
        acked.unwrap_or_else(|_| Err(fault::late("an acknowledgement")))
    }

    pub fn postpone(&self, receipt: &[u8], delay: Duration) -> Result<()> {
        self.desk.postpone(receipt, delay)
    }

    /// The part of it that leaves.
    pub fn leaving(&self) -> Leaving {
        Leaving {
            source: self.source.clone(),
            desk: self.desk.clone(),
            task: self.task.clone(),
        }
    }
}

impl Drop for Member {
    /// Ends its task, where it did not leave; the server gives to others what it has.
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The way out of a member.
#[derive(Clone)]
pub(crate) struct Leaving {
    source: Arc<Source>,
    desk: Arc<Desk>,
    task: AbortHandle,
}

impl Leaving {
    pub fn has_left(&self) -> bool {
        self.desk.has_left()
    }

    /// Gives back what the member has, once. The server would count an attempt for whatever goes back: where that is not so,
    /// or more than one was made, a copy with the right number takes its place.
    pub async fn leave(&self, publisher: &Publisher) -> Result<()> {
        let Some(Left { channel, held }) = self.desk.leave() else {
            return Ok(());
        };
        self.task.abort();
        let Some(channel) = channel else {
            return Ok(());
        };
        if !self.source.queue.is_passing {
            self.restore(publisher, &channel, held).await;
        }
        let client = &self.source.client;
        let closed = channel.close(200, "OK".into());
        client.bound("a channel", closed).await?;
        match self.source.queue.is_passing {
            true => self.end().await,
            false => Ok(()),
        }
    }

    async fn restore(&self, publisher: &Publisher, channel: &Channel, held: Vec<(u64, Incoming)>) {
        let copy = |incoming: &Incoming| Outgoing {
            exchange: "".into(),
            key: self.source.queue.name.clone(),
            data: incoming.data.clone(),
            properties: count::again(&incoming.properties, incoming.attempt.saturating_sub(1)),
            is_mandatory: true,
        };
        let copies: Vec<_> = held.iter().map(|(_, incoming)| copy(incoming)).collect();
        let about = self.source.queue.about();
        let answers = publisher.send(None, &copies, &about).await;
        let deadline = Instant::now().after(self.source.client.target.timeout);
        for ((tag, _), answer) in held.iter().zip(answers) {
            // Without a copy the message goes back, with an attempt too many.
            if matches!(answer, Ok(Answer::Stored)) {
                let acked = channel.basic_ack(*tag, BasicAckOptions::default());
                let _ = timeout_at(deadline, acked).await;
            }
        }
    }

    /// Ends the queue, if this was its last member.
    async fn end(&self) -> Result<()> {
        let client = &self.source.client;
        let channel = client.channel(Side::Consuming).await?;
        let options = QueueDeleteOptions {
            if_unused: true,
            ..QueueDeleteOptions::default()
        };
        let name = self.source.queue.name.clone();
        let deleted = channel.queue_delete(name, options);
        match client.bound(&self.source.queue.about(), deleted).await {
            // Others are there, or it is gone.
            Err(error) if is_settled(&error) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                let closed = channel.close(200, "OK".into());
                client.bound("a channel", closed).await
            }
        }
    }
}

fn is_settled(error: &Error) -> bool {
    use wythe_blocks::Kind;
    matches!(error.kind(), Kind::Conflict | Kind::NotFound)
}
