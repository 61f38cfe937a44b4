//! Pub/sub over streams, as Dapr lays messages out: a field `data`, a field `metadata`, and a few of our own. A consumer
//! group of the server is a group here; a message is taken out of its stream once every group is done with it.

mod desk;
mod leaving;
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
use leaving::Leaving;
use member::Member;
use parking_lot::Mutex;
use redis::Value;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use wythe_blocks::{
    Error, Result, Site,
    pubsub::{Consumer, Driver, Features, Message, SubscribeOptions},
    random, time,
};

/// Messages of one script, and bytes of them.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 4 << 20;
/// Bytes of one message: the server's answers are bounded.
const MAX_MESSAGE: u64 = 16 << 20;
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
        leaving: Arc::default(),
        members: Mutex::default(),
    }))
}

struct PubSub {
    session: Session,
    settings: Streams,
    /// Members that give back what they have.
    leaving: Arc<Leaving>,
    /// Members that there are, for the close.
    members: Mutex<Vec<Weak<Desk>>>,
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

    /// Publishes messages that fit into one script.
    async fn send(&self, topic: &str, messages: &[Message]) -> Result<Vec<Value>> {
        check_topic(topic)?;
        let [rule, number] = self.rule();
        let limit = self.settings.max_backlog.to_string();
        let mut call = scripts::call(topic, [limit, rule, number]);
        for message in messages {
            call.arguments.extend(message::fields(message)?);
        }
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

    /// Makes a group, which may be there already.
    async fn group(&self, topic: &str, group: &str) -> Result<()> {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(topic).arg(group).arg("$");
        create.arg("MKSTREAM");
        desk::make_group(self.session.client().await?, topic, &create).await
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

fn check_size(message: &Message) -> Result<()> {
    match message.data.len() as u64 <= MAX_MESSAGE {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "a message of {} bytes; at most {MAX_MESSAGE} are allowed",
            message.data.len()
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
        check_size(&message)?;
        let answers = self.send(topic, &[message]).await?;
        self.answer(&answers[0])
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let (mut answers, mut rest) = (Vec::with_capacity(messages.len()), &messages[..]);
        while let Some(first) = rest.first() {
            if let Err(error) = check_size(first) {
                answers.push(Err(error));
                rest = &rest[1..];
                continue;
            }
            let mut bytes = 0;
            let fits = rest.iter().take(BATCH).take_while(|message| {
                bytes += message.data.len();
                bytes <= BATCH_BYTES
            });
            let (batch, after) = rest.split_at(fits.count().max(1));
            match self.send(topic, batch).await {
                Ok(values) => answers.extend(values.iter().map(|value| self.answer(value))),
                Err(error) => answers.extend(batch.iter().map(|_| Err(error.duplicate()))),
            }
            rest = after;
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
        let client = self.session.client().await?.clone();
        self.leaving.settle(client.target.call).await;
        let group = match options.ephemeral {
            true => format!("{group}{PASSING}"),
            false => group.to_owned(),
        };
        self.group(topic, &group).await?;
        let name = format!("wythe-{}", random::name()?);
        let desk = Arc::new(Desk::new(
            client,
            self.settings.clone(),
            topic.to_owned(),
            group,
            name,
        ));
        desk.enter().await?;
        let mut members = self.members.lock();
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(&desk));
        drop(members);
        Ok(Box::new(Member::new(desk, self.leaving.clone())))
    }

    fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.session.health().await
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        let members = std::mem::take(&mut *self.members.lock());
        for desk in members.iter().filter_map(Weak::upgrade) {
            desk.leave().await?;
        }
        Ok(())
    }
}
