//! Pub/sub over streams, as Dapr has it: a topic is a subject, and the data of a message are those of the event. A
//! consumer of the server is a group here, from which members pull.

mod desk;
mod member;
mod message;
mod names;
mod reader;
mod streams;

use crate::{
    client::{Answer, Client, Session, Stored, stored},
    failure::{self, Effect, Refusal},
    link::{Link, Lost, Pending},
    settings::Parsed,
    wire::Outgoing,
};
use async_trait::async_trait;
use desk::Desk;
use member::Member;
use std::{sync::Arc, time::Duration};
use streams::Streams;
use tokio::time::{Instant, timeout, timeout_at};
use wythe_blocks::{
    Error, Result, Site,
    pubsub::{Consumer, Driver, Features, Members, Message, SubscribeOptions},
    time::Clock as _,
};

/// The first version whose streams take nothing any more once their groups are stopping: one before drops what it
/// acknowledges as it ends.
const OLDEST: (u64, u64) = (2, 10);
/// Messages that are published at once.
const BATCH: usize = 256;
/// Bytes that a message may have beside its data.
const RESERVED: u64 = 64 << 10;
/// Bytes of a message's data.
const MAX_MESSAGE: u64 = 16 << 20;

pub(super) async fn open(
    client: Arc<Client>,
    parsed: Parsed,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    let session = Session::open(client.clone(), &site.component).await?;
    check_version(&client).map_err(|error| client.named(error))?;
    let streams = Streams::new(client.clone(), parsed.events, parsed.made);
    let is_on_disk = streams.are_on_disk().await;
    Ok(Arc::new(PubSub {
        is_durable: is_on_disk.map_err(|error| client.named(error))? && client.target.sync_always,
        session,
        streams: Arc::new(streams),
        members: Arc::default(),
    }))
}

struct PubSub {
    session: Session,
    streams: Arc<Streams>,
    is_durable: bool,
    members: Arc<Members<Desk>>,
}

impl PubSub {
    fn max_message(&self, client: &Client) -> u64 {
        let payload = client.max_payload().saturating_sub(RESERVED);
        payload.min(MAX_MESSAGE)
    }

    /// The message as it is sent, where it is within the bounds.
    fn checked(&self, client: &Client, topic: &str, message: &Message) -> Result<Outgoing> {
        let (size, max) = (message.data.len() as u64, self.max_message(client));
        if size > max {
            return Err(Error::invalid(format!(
                "a message of {size} bytes; at most {max} are allowed, by the server's `max_payload`"
            )));
        }
        let mut outgoing = message::outgoing(topic, message)?;
        if let Some(stream) = &self.streams.settings.stream {
            outgoing = outgoing.with("Nats-Expected-Stream", stream);
        }
        let (whole, max) = (outgoing.size(), client.max_payload());
        match whole <= max {
            true => Ok(outgoing),
            false => Err(Error::invalid(format!(
                "a message that is {whole} bytes with its attributes; the server takes {max} (`max_payload`)"
            ))),
        }
    }

    /// Sends messages in their order, and waits for the answers to them all.
    async fn batch(&self, topic: &str, messages: &[Message]) -> Result<Vec<Result<()>>> {
        let client = self.session.client()?;
        let link = client.link().await?;
        let about = format!("a message to `{topic}`");
        let sent = self.send(client, &link, topic, messages).await;
        let deadline = Instant::now().after(client.target.timeout);
        let mut answers = Vec::with_capacity(sent.len());
        for pending in sent {
            let answer = async {
                let Ok(answer) = timeout_at(deadline, pending?.answer()).await else {
                    link.doubt();
                    return Err(failure::late(Effect::Write, &about));
                };
                stored(&answer.map_err(|lost| lost.error(Effect::Write, &about))?)
            };
            answers.push(answer.await);
        }
        let unheard = match answers.iter().any(|answer| matches!(answer, Ok(None))) {
            true => self.check_unheard(client, topic).await,
            false => Ok(()),
        };
        let settled = |answer: Result<Option<Answer<Stored>>>| match answer? {
            Some(stored) => stored
                .map(drop)
                .map_err(|refusal| unstored(&refusal, &about)),
            None => unheard.as_ref().copied().map_err(Error::duplicate),
        };
        Ok(answers.into_iter().map(settled).collect())
    }

    /// Sends messages in their order. After one that has found no room in time, no other one is tried.
    async fn send(
        &self,
        client: &Client,
        link: &Link,
        topic: &str,
        messages: &[Message],
    ) -> Vec<Result<Pending>> {
        let about = format!("a message to `{topic}`");
        let (mut sent, mut is_stuck) = (Vec::with_capacity(messages.len()), false);
        for message in messages {
            let outgoing = match self.checked(client, topic, message) {
                Ok(outgoing) if !is_stuck => outgoing,
                unsent => {
                    sent.push(Err(unsent.err().unwrap_or_else(failure::unsent)));
                    continue;
                }
            };
            let pending = timeout(client.target.timeout, link.send(outgoing)).await;
            is_stuck = pending.is_err();
            let pending = pending.unwrap_or(Err(Lost::Unsent));
            sent.push(pending.map_err(|lost| lost.error(Effect::Write, &about)));
        }
        if is_stuck {
            link.doubt();
        }
        sent
    }

    /// Returns an error unless a topic that no stream takes has no group, so that nobody waits for its messages.
    async fn check_unheard(&self, client: &Client, topic: &str) -> Result<()> {
        match streams::find(client, topic).await? {
            None if self.streams.settings.stream.is_none() => Ok(()),
            None => Err(self.streams.missing(topic)),
            Some(_) => Err(Error::unavailable(
                "the stream of the topic does not answer: it has no leader for now",
            )),
        }
    }
}

fn unstored(refusal: &Refusal, about: &str) -> Error {
    match refusal.is_full() {
        true => Error::exhausted(
            "the topic holds as many messages as it may which a group has not acknowledged; see `maxBacklog`",
        )
        .with_retry_after(Duration::from_secs(1)),
        false => refusal.error(about),
    }
}

fn check_version(client: &Client) -> Result<()> {
    match client.is_from(OLDEST) {
        true => Ok(()),
        false => Err(Error::unsupported(
            "the server is older than 2.10, the first version that loses no event as it ends; update it",
        )),
    }
}

/// A topic is a subject: it has no room for what means something else there.
fn check_topic(topic: &str) -> Result<()> {
    let is_odd = topic.starts_with(['$', '_'])
        || topic.contains(char::is_whitespace)
        || topic.split('.').any(str::is_empty);
    match is_odd {
        false => Ok(()),
        true => Err(Error::invalid(format!(
            "the topic `{}`, which is no subject: expected words with points between them, without spaces, and not `$` or `_` at the beginning; use another name",
            topic.escape_debug()
        ))),
    }
}

#[async_trait]
impl Driver for PubSub {
    fn features(&self) -> Features {
        Features {
            durable: self.is_durable,
            ordering: false,
            delay: false,
            dead_letters: false,
            counted: false,
            max_message_bytes: self.max_message(self.session.known()),
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let answers = self.publish_many(topic, vec![message]).await;
        answers.into_iter().next().unwrap_or(Ok(()))
    }

    /// A letter to a topic without a group waits for the first one.
    async fn letter(&self, topic: &str, letter: Message) -> Result<()> {
        check_topic(topic)?;
        self.session.client()?;
        self.streams.hold_letters(topic).await?;
        self.publish(topic, letter).await
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let mut answers = Vec::with_capacity(messages.len());
        for batch in messages.chunks(BATCH) {
            let sent = async {
                check_topic(topic)?;
                self.batch(topic, batch).await
            };
            match sent.await {
                Ok(more) => answers.extend(more),
                Err(error) => answers.extend(batch.iter().map(|_| Err(error.duplicate()))),
            }
        }
        answers
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        check_topic(topic)?;
        let client = self.session.client()?.clone();
        self.members.settle(client.target.timeout).await;
        let group = self.streams.join(topic, group, options.ephemeral).await?;
        let desk = Arc::new(Desk::new(client, self.streams.clone(), group));
        self.members.add(&desk);
        Ok(Box::new(Member::new(desk, self.members.clone())))
    }

    fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.session.health().await
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        self.members.close().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_a_subject_of_its_own() {
        for topic in ["orders", "orders.eu", "\u{e9}", "a-b_c"] {
            assert!(check_topic(topic).is_ok(), "{topic}");
        }
        for topic in [
            "$JS.API.INFO",
            "$KV.a.b",
            "_INBOX.a",
            "a b",
            "a..b",
            ".a",
            "a.",
            "a\tb",
        ] {
            let error = check_topic(topic).expect_err(topic);
            assert_eq!(error.kind(), wythe_blocks::Kind::Invalid);
        }
    }
}
