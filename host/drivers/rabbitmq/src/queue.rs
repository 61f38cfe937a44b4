//! Exchanges and queues as the settings want them, which are made where they are missing.

use crate::{
    client::Client,
    fault::short,
    settings::{self, Layout, Limit, QueueType},
};
use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable, ShortString},
};
use std::time::Duration;
use wythe_blocks::{Error, Result, time::milliseconds};

/// The time after which the server ends a queue of a group that ends with its last member, if no host is there any more.
const ABANDONED: Duration = Duration::from_secs(600);

/// An exchange.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub name: ShortString,
    kind: ExchangeKind,
    options: ExchangeDeclareOptions,
}

impl Exchange {
    /// The exchange of a topic has its name, as in Dapr.
    pub fn of_topic(layout: &Layout, topic: &str) -> Result<Self> {
        let lower = topic.to_ascii_lowercase();
        if lower.starts_with("amq.") {
            return Err(Error::invalid(
                "the name of a topic that begins with `amq.` is the server's own; use another one",
            ));
        }
        Ok(Exchange {
            name: short("the name of the topic", topic)?,
            kind: match layout.exchange {
                settings::Exchange::Fanout => ExchangeKind::Fanout,
                settings::Exchange::Topic => ExchangeKind::Topic,
                settings::Exchange::Direct => ExchangeKind::Direct,
            },
            options: ExchangeDeclareOptions {
                durable: layout.is_durable,
                auto_delete: layout.is_passing,
                ..ExchangeDeclareOptions::default()
            },
        })
    }

    pub async fn declare(&self, client: &Client, channel: &Channel) -> Result<()> {
        let about = format!("the exchange `{}`", self.name);
        let declared = channel.exchange_declare(
            self.name.clone(),
            self.kind.clone(),
            self.options,
            FieldTable::default(),
        );
        client.bound(&about, declared).await
    }
}

/// A queue, with the exchange that fills it, and the queue of what the server drops from it.
#[derive(Clone)]
pub(crate) struct Queue {
    pub name: ShortString,
    pub kind: QueueType,
    pub options: QueueDeclareOptions,
    pub arguments: FieldTable,
    pub source: Option<(Exchange, Vec<ShortString>)>,
    pub letters: Option<(Exchange, Box<Queue>)>,
    /// It ends with its last member.
    pub is_passing: bool,
    /// One consumer at a time is given messages.
    pub is_single: bool,
}

impl Queue {
    /// Makes what is missing of it. What is there with other properties is an error.
    pub async fn declare(&self, client: &Client, channel: &Channel) -> Result<()> {
        if let Some((exchange, _)) = &self.source {
            exchange.declare(client, channel).await?;
        }
        if let Some((exchange, queue)) = &self.letters {
            exchange.declare(client, channel).await?;
            queue.declare_alone(client, channel).await?;
            queue.bind(client, channel, exchange, &"".into()).await?;
        }
        self.declare_alone(client, channel).await?;
        if let Some((exchange, keys)) = &self.source {
            for key in keys {
                self.bind(client, channel, exchange, key).await?;
            }
        }
        Ok(())
    }

    pub async fn declare_alone(&self, client: &Client, channel: &Channel) -> Result<()> {
        let (name, arguments) = (self.name.clone(), self.arguments.clone());
        let declared = channel.queue_declare(name, self.options, arguments);
        client.bound(&self.about(), declared).await?;
        Ok(())
    }

    async fn bind(
        &self,
        client: &Client,
        channel: &Channel,
        exchange: &Exchange,
        key: &ShortString,
    ) -> Result<()> {
        let bound = channel.queue_bind(
            self.name.clone(),
            exchange.name.clone(),
            key.clone(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        client.bound(&self.about(), bound).await
    }

    pub fn about(&self) -> String {
        format!("the queue `{}`", self.name)
    }

    /// A queue of a type that outlives the server, without any bound.
    pub fn lasting(name: ShortString, kind: QueueType) -> Self {
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), text(kind.name()));
        Queue {
            name,
            kind,
            options: QueueDeclareOptions {
                durable: true,
                ..QueueDeclareOptions::default()
            },
            arguments,
            source: None,
            letters: None,
            is_passing: false,
            is_single: false,
        }
    }

    /// A queue of a group that ends with its last member: the host deletes it, and the server where no host is left.
    pub fn passing(name: ShortString) -> Self {
        let mut queue = Self::lasting(name, QueueType::Classic);
        let expires = i64::try_from(milliseconds(ABANDONED)).unwrap_or(i64::MAX);
        let expires = AMQPValue::LongLongInt(expires);
        queue.arguments.insert("x-expires".into(), expires);
        queue.is_passing = true;
        queue
    }

    /// Bounds the queue.
    pub fn bound(&mut self, limit: &Limit) {
        let number =
            |number: u64| AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX));
        if let Some(messages) = limit.messages {
            self.arguments
                .insert("x-max-length".into(), number(messages));
        }
        if let Some(bytes) = limit.bytes {
            self.arguments
                .insert("x-max-length-bytes".into(), number(bytes));
        }
        if !limit.drops && (limit.messages.is_some() || limit.bytes.is_some()) {
            self.arguments
                .insert("x-overflow".into(), text("reject-publish"));
        }
    }

    /// Has what the server drops go to the queue `dlq-QUEUE`, by the exchange `dlx-QUEUE`, as in Dapr; `drops` where old messages
    /// make room for new ones.
    pub fn keep_dropped(&mut self, layout: &Layout, drops: bool) -> Result<()> {
        let exchange = Exchange {
            name: short(
                "the name of the dead letter exchange",
                &format!("dlx-{}", self.name),
            )?,
            kind: ExchangeKind::Fanout,
            options: ExchangeDeclareOptions {
                durable: true,
                auto_delete: layout.is_passing,
                ..ExchangeDeclareOptions::default()
            },
        };
        let name = short(
            "the name of the dead letter queue",
            &format!("dlq-{}", self.name),
        )?;
        let mut letters = Queue::lasting(name, self.kind);
        letters.options.auto_delete = layout.is_passing;
        letters.bound(&Limit {
            drops: true,
            ..layout.limit
        });
        let name = text(exchange.name.as_str());
        self.arguments.insert("x-dead-letter-exchange".into(), name);
        // By default the server forgets a message before the other queue has it.
        if self.kind == QueueType::Quorum && !drops {
            let strategy = text("at-least-once");
            self.arguments
                .insert("x-dead-letter-strategy".into(), strategy);
            self.arguments
                .insert("x-overflow".into(), text("reject-publish"));
        }
        self.letters = Some((exchange, Box::new(letters)));
        Ok(())
    }
}

pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.to_owned().into())
}

/// The text of a header; absent for what is none.
pub(crate) fn string(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
