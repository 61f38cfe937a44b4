//! Pub/sub over streams, as Dapr lays messages out: a field `data`, a field `metadata`, and a few of our own. A consumer
//! group of the server is a group here; a message is taken out of its stream once every group is done with it.

mod desk;
mod member;
mod message;
mod reader;
mod scripts;

use crate::{
    client::{Client, Session},
    failure::{Effect, odd},
    settings::{Parsed, Streams},
};
use async_trait::async_trait;
use desk::Desk;
use member::Member;
use message::Fields;
use redis::Value;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result, Site,
    pubsub::{Consumer, Driver, Features, Members, Message, SubscribeOptions},
    random, time,
};

/// Messages of one script, and bytes of them.
const BATCH: usize = 100;
const BATCH_BYTES: u64 = 4 << 20;
/// Bytes of one message: the server's answers are bounded.
const MAX_MESSAGE: u64 = 16 << 20;
/// Bytes of one message with all that is sent beside its data.
const MAX_WHOLE: u64 = 20 << 20;
/// The end of the name of a group that ends with its last member.
const PASSING: &str = "||passing";

pub(super) async fn open(
    client: Arc<Client>,
    parsed: Parsed,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(PubSub {
        session: Session::open(client, &site.component).await?,
        settings: parsed.streams,
        members: Arc::default(),
    }))
}

struct PubSub {
    session: Session,
    settings: Streams,
    members: Arc<Members<Desk>>,
}

impl PubSub {
    /// The rule by which older messages are dropped, whoever waits for them.
    fn rule(&self) -> [String; 2] {
        let settings = &self.settings;
        match (settings.max_length, settings.ttl) {
            (Some(length), _) => ["MAXLEN".to_owned(), length.to_string()],
            (None, Some(ttl)) => {
                let oldest = time::now().saturating_sub(time::milliseconds(ttl));
                ["MINID".to_owned(), oldest.to_string()]
            }
            (None, None) => Default::default(),
        }
    }

    /// Publishes one message. A letter waits for the first lasting group where the topic has none.
    async fn send_one(&self, topic: &str, message: &Message, kind: &str) -> Result<()> {
        let answers = self.send(topic, vec![checked(message)?], kind).await?;
        self.answer(answers.first().ok_or_else(odd)?)
    }

    /// Publishes messages that fit into one script; `kind` is `letter` or empty.
    async fn send(&self, topic: &str, messages: Vec<Fields>, kind: &str) -> Result<Vec<Value>> {
        check_topic(topic)?;
        let [rule, number] = self.rule();
        let limit = self.settings.max_backlog.to_string();
        let mut call = scripts::call(topic, [limit, rule, number, kind.to_owned()]);
        call.arguments.extend(messages.iter().flatten().cloned());
        let about = match messages.len() {
            1 => format!("a message to `{topic}`"),
            count => format!("{count} messages to `{topic}`"),
        };
        let client = self.session.client().await?;
        let answer = client.run(Effect::Write, &about, &scripts::PUBLISH, &call);
        match answer.await? {
            Value::Array(answers) if answers.len() == messages.len() => Ok(answers),
            _ => Err(odd()),
        }
    }

    fn answer(&self, value: &Value) -> Result<()> {
        match value {
            Value::Int(1) => Ok(()),
            _ => Err(Error::exhausted(format!(
                "the topic holds {} messages that a group has not acknowledged; see `maxBacklog`",
                self.settings.max_backlog
            ))
            .with_retry_after(Duration::from_secs(1))),
        }
    }
}

/// A topic is a key of the database: those of entries, locks and the host itself have `||` in them.
fn check_topic(topic: &str) -> Result<()> {
    match topic.contains("||") {
        false => Ok(()),
        true => Err(Error::invalid(
            "`||` in the name of a topic, which in this server is the name of something else; use another name",
        )),
    }
}

/// The groups of the host itself have `||` in their names.
fn check_group(group: &str) -> Result<()> {
    match group.contains("||") {
        false => Ok(()),
        true => Err(Error::invalid(
            "`||` in the name of a consumer group, which in this server marks groups of the host; use another name",
        )),
    }
}

/// The fields of a message that is within the bounds.
fn checked(message: &Message) -> Result<Fields> {
    let data = message.data.len() as u64;
    if data > MAX_MESSAGE {
        return Err(Error::invalid(format!(
            "a message of {data} bytes; at most {MAX_MESSAGE} are allowed"
        )));
    }
    let fields = message::fields(message)?;
    let whole = message::size(&fields);
    match whole <= MAX_WHOLE {
        true => Ok(fields),
        false => Err(Error::invalid(format!(
            "a message that is {whole} bytes with its attributes, which are stored twice; at most {MAX_WHOLE} are allowed"
        ))),
    }
}

#[async_trait]
impl Driver for PubSub {
    fn features(&self) -> Features {
        Features {
            durable: self.session.facts.is_durable(),
            ordering: false,
            delay: false,
            dead_letters: false,
            counted: false,
            max_message_bytes: MAX_MESSAGE,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        self.send_one(topic, &message, "").await
    }

    async fn letter(&self, topic: &str, letter: Message) -> Result<()> {
        self.send_one(topic, &letter, "letter").await
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let (mut answers, mut rest) = (Vec::with_capacity(messages.len()), &messages[..]);
        while let Some((first, after)) = rest.split_first() {
            let first = match checked(first) {
                Ok(fields) => fields,
                Err(error) => {
                    answers.push(Err(error));
                    rest = after;
                    continue;
                }
            };
            let (mut bytes, mut batch) = (message::size(&first), vec![first]);
            // One that is refused ends the batch, and is the first of the next.
            for fields in after
                .iter()
                .take(BATCH - 1)
                .map_while(|one| checked(one).ok())
            {
                bytes += message::size(&fields);
                if bytes > BATCH_BYTES {
                    break;
                }
                batch.push(fields);
            }
            let count = batch.len();
            match self.send(topic, batch, "").await {
                Ok(values) => answers.extend(values.iter().map(|value| self.answer(value))),
                Err(error) => answers.extend((0..count).map(|_| Err(error.duplicate()))),
            }
            rest = &rest[count..];
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
        check_group(group)?;
        let client = self.session.client().await?.clone();
        self.members.settle(client.target.call).await;
        let group = match options.ephemeral {
            true => format!("{group}{PASSING}"),
            false => group.to_owned(),
        };
        let name = format!("wythe-{}", random::name()?);
        let desk = Arc::new(Desk::new(
            client,
            self.settings.clone(),
            topic.to_owned(),
            group,
            name,
        ));
        desk.enter("$").await?;
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
    fn groups_of_the_host_are_no_apps() {
        assert!(check_group("orders").is_ok());
        for name in ["||letters", "a||passing"] {
            let error = check_group(name).expect_err(name);
            assert_eq!(error.kind(), wythe_blocks::Kind::Invalid);
        }
    }

    #[test]
    fn a_message_has_a_bound_with_its_attributes() {
        let mut message = Message {
            data: vec![0; 1 << 20].into(),
            attributes: vec![("a".to_owned(), "x".repeat(9 << 20))],
            ..Message::default()
        };
        assert!(checked(&message).is_ok(), "19 MiB as it is sent");
        message
            .attributes
            .push(("b".to_owned(), "x".repeat(1 << 20)));
        let error = checked(&message).expect_err("21 MiB as it is sent");
        assert_eq!(error.kind(), wythe_blocks::Kind::Invalid);
        assert!(error.message().contains(&MAX_WHOLE.to_string()), "{error}");
    }
}
