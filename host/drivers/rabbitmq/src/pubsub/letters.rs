//! Dead letters to a topic that has no group yet: they wait in a queue of their own for the first that joins.

use crate::{
    client::{Client, Side},
    fault::short,
    publisher::{Answer, Outgoing, Publisher},
    queue::{Exchange, Queue},
    settings::QueueType,
};
use lapin::{
    Channel,
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};
use std::sync::Arc;
use wythe_blocks::{Error, Kind, Result};

pub(super) struct Letters {
    client: Arc<Client>,
    publisher: Arc<Publisher>,
}

/// The queue of the letters to a topic.
fn waiting(topic: &str) -> Result<Queue> {
    let name = short("the name of the topic", &format!("wythe-letters-{topic}"))?;
    Ok(Queue::lasting(name, QueueType::Quorum))
}

impl Letters {
    pub fn new(client: Arc<Client>, publisher: Arc<Publisher>) -> Self {
        Letters { client, publisher }
    }

    /// Publishes a letter; where no queue wants it, it waits.
    pub async fn send(&self, exchange: &Exchange, topic: &str, letter: Outgoing) -> Result<()> {
        let about = format!("a dead letter to `{topic}`");
        let copy = Outgoing {
            exchange: "".into(),
            key: waiting(topic)?.name,
            data: letter.data.clone(),
            properties: letter.properties.clone(),
            is_mandatory: true,
        };
        let letter = Outgoing {
            is_mandatory: true,
            ..letter
        };
        let sent = self.publisher.send_one(Some(exchange), letter, &about);
        match sent.await? {
            Answer::Returned => {}
            answer => return super::stored(answer),
        }
        let channel = self.client.channel(Side::Publishing).await?;
        let queue = waiting(topic)?;
        queue.declare_alone(&self.client, &channel).await?;
        self.close(&channel).await?;
        match self.publisher.send_one(None, copy, &about).await? {
            Answer::Returned => Err(Error::unavailable(format!(
                "the queue `{}` is gone again; it is made anew by the next try",
                queue.name
            ))),
            answer => super::stored(answer),
        }
    }

    /// Gives the letters that wait to the queue of a group.
    pub async fn give(&self, topic: &str, to: &ShortString) -> Result<()> {
        let channel = self.client.channel(Side::Consuming).await?;
        let queue = waiting(topic)?;
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let found = channel.queue_declare(queue.name.clone(), options, FieldTable::default());
        match self.client.bound(&queue.about(), found).await {
            Ok(_) => {}
            // The channel has ended with that answer.
            Err(error) if error.kind() == Kind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        while let Some(letter) = self.next(&channel, &queue).await? {
            let tag = letter.delivery.delivery_tag;
            let copy = Outgoing {
                exchange: "".into(),
                key: to.clone(),
                data: letter.delivery.data.into(),
                properties: letter.delivery.properties,
                is_mandatory: true,
            };
            let about = queue.about();
            match self.publisher.send_one(None, copy, &about).await? {
                Answer::Stored => {}
                // The queue is full, or gone: whoever joins reads what it has, and the rest waits for the next that joins.
                Answer::Refused | Answer::Returned => {
                    tracing::warn!(topic, "dead letters wait on: `{to}` does not take them");
                    break;
                }
            }
            let acked = channel.basic_ack(tag, BasicAckOptions::default());
            self.client.bound(&about, acked).await?;
        }
        self.close(&channel).await
    }

    async fn next(&self, channel: &Channel, queue: &Queue) -> Result<Option<BasicGetMessage>> {
        let got = channel.basic_get(queue.name.clone(), BasicGetOptions::default());
        self.client.bound(&queue.about(), got).await
    }

    async fn close(&self, channel: &Channel) -> Result<()> {
        let closed = channel.close(200, "OK".into());
        self.client.bound("a channel", closed).await
    }
}
