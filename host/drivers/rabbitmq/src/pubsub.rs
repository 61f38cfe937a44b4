//! Pub/sub as Dapr lays it out: an exchange for each topic, and a queue `GROUP-TOPIC` for each group, which is bound to it.

mod letters;
mod member;
mod message;
mod names;

use crate::{
    client::{Client, Side},
    consumer::{self, Leaving, Source},
    publisher::{Answer, Outgoing, Publisher},
    queue::{Exchange, Queue},
    settings::{Layout, Parsed, QueueType},
};
use async_trait::async_trait;
use futures::future::join_all;
use letters::Letters;
use member::Member;
use message::{Form, MAX_MESSAGE};
use names::Names;
use parking_lot::Mutex;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::RwLock, time::timeout};
use wythe_blocks::{
    Error, Result, Site,
    pubsub::{Consumer, Driver, Features, Message, SubscribeOptions},
};

/// Messages that are published at once, and bytes of them.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 4 << 20;

pub(super) async fn open(
    client: Arc<Client>,
    parsed: Parsed,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    client.begin().await?;
    if !is_durable(&parsed.layout) {
        tracing::warn!(
            component = site.component,
            "messages may be lost with the server or with the last consumer: `queueType: quorum` keeps them"
        );
    }
    let publisher = Arc::new(Publisher::new(client.clone(), Side::Publishing));
    Ok(Arc::new(PubSub {
        form: Form {
            ttl: parsed.ttl,
            is_persistent: parsed.is_persistent,
        },
        letters: Letters::new(client.clone(), publisher.clone()),
        publisher,
        layout: parsed.layout,
        prefetch: parsed.prefetch,
        names: Names::default(),
        leaving: Arc::default(),
        members: Mutex::default(),
        is_closed: AtomicBool::new(false),
        client,
    }))
}

/// Returns whether what is acknowledged is on disk: a quorum queue syncs it first.
fn is_durable(layout: &Layout) -> bool {
    layout.queue == QueueType::Quorum
}

struct PubSub {
    client: Arc<Client>,
    publisher: Arc<Publisher>,
    letters: Letters,
    form: Form,
    layout: Layout,
    prefetch: u16,
    names: Names,
    /// Held by members on their way out, for reading; whoever joins waits for them.
    leaving: Arc<RwLock<()>>,
    /// Members that there are, for the close.
    members: Mutex<Vec<Leaving>>,
    is_closed: AtomicBool,
}

impl PubSub {
    fn check(&self) -> Result<()> {
        match self.is_closed.load(Relaxed) {
            false => Ok(()),
            true => Err(Error::unavailable("the component is closed")),
        }
    }

    /// Publishes messages that were found good.
    async fn send(&self, exchange: &Exchange, messages: &[Outgoing]) -> Vec<Result<()>> {
        let about = match messages.len() {
            1 => format!("a message to `{}`", exchange.name),
            count => format!("one of {count} messages to `{}`", exchange.name),
        };
        let answers = self.publisher.send(Some(exchange), messages, &about).await;
        let settled = answers.into_iter();
        settled.map(|answer| answer.and_then(stored)).collect()
    }

    fn queue(&self, topic: &str, group: &str, options: &SubscribeOptions) -> Result<Queue> {
        let mut queue = match options.ephemeral {
            true => Queue::passing(Names::passing(group, topic)?),
            false => {
                let name = self.names.lasting(group, topic)?;
                let kind = names::queue_type(options)?.unwrap_or(self.layout.queue);
                let mut queue = Queue::lasting(name, kind);
                queue.options.durable = self.layout.is_durable;
                queue.options.auto_delete = self.layout.is_passing;
                queue
            }
        };
        let limit = names::limit(options, self.layout.limit)?;
        queue.bound(&limit);
        if self.layout.has_letters && !options.ephemeral {
            queue.keep_dropped(&self.layout, limit.drops)?;
        }
        names::add(options, &mut queue)?;
        let exchange = Exchange::of_topic(&self.layout, topic)?;
        queue.source = Some((exchange, names::routing_keys(options)?));
        Ok(queue)
    }
}

/// A message that no queue wants is published to nobody, which is no error.
fn stored(answer: Answer) -> Result<()> {
    match answer {
        Answer::Stored | Answer::Returned => Ok(()),
        Answer::Refused => Err(Error::exhausted(
            "the server refused a message, as the queue of a group is full: see `maxBacklog`; other groups may have it",
        )
        .with_retry_after(Duration::from_secs(1))),
    }
}

#[async_trait]
impl Driver for PubSub {
    fn features(&self) -> Features {
        Features {
            durable: is_durable(&self.layout),
            ordering: false,
            delay: false,
            dead_letters: false,
            counted: false,
            max_message_bytes: MAX_MESSAGE,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let mut answers = self.publish_many(topic, vec![message]).await;
        answers.pop().unwrap_or(Ok(()))
    }

    async fn letter(&self, topic: &str, letter: Message) -> Result<()> {
        self.check()?;
        let exchange = Exchange::of_topic(&self.layout, topic)?;
        let outgoing = self.form.outgoing(&exchange.name, &letter)?;
        self.letters.send(&exchange, topic, outgoing).await
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let exchange = self
            .check()
            .and_then(|()| Exchange::of_topic(&self.layout, topic));
        let exchange = match exchange {
            Ok(exchange) => exchange,
            Err(error) => return messages.iter().map(|_| Err(error.duplicate())).collect(),
        };
        let (mut answers, mut rest) = (Vec::with_capacity(messages.len()), &messages[..]);
        while let Some(first) = rest.first() {
            let (mut bytes, mut batch) = (first.data.len(), Vec::new());
            for message in rest.iter().take(BATCH) {
                bytes += message.data.len();
                if !batch.is_empty() && bytes > BATCH_BYTES {
                    break;
                }
                match self.form.outgoing(&exchange.name, message) {
                    Ok(outgoing) => batch.push(outgoing),
                    // It ends the batch, and is answered after it.
                    Err(error) if batch.is_empty() => {
                        answers.push(Err(error));
                        rest = &rest[1..];
                        break;
                    }
                    Err(_) => break,
                }
            }
            rest = &rest[batch.len()..];
            if !batch.is_empty() {
                answers.extend(self.send(&exchange, &batch).await);
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
        self.check()?;
        // A group that ends with its last member ends first.
        let _ = timeout(self.client.target.timeout, self.leaving.write()).await;
        let queue = self.queue(topic, group, &options)?;
        let name = queue.name.clone();
        let source = Source {
            client: self.client.clone(),
            queue,
            prefetch: self.prefetch,
        };
        let member = consumer::Member::join(source).await?;
        if !options.ephemeral {
            self.letters.give(topic, &name).await?;
        }
        let mut members = self.members.lock();
        members.retain(|member| !member.has_left());
        members.push(member.leaving());
        drop(members);
        let (publisher, leaving) = (self.publisher.clone(), self.leaving.clone());
        Ok(Box::new(Member::new(member, publisher, leaving)))
    }

    fn describe(&self) -> Option<String> {
        let kind = self.layout.queue.name();
        Some(format!("{}, {kind} queues", self.client.describe()))
    }

    async fn health(&self) -> Result<()> {
        self.check()?;
        self.client.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        let members = std::mem::take(&mut *self.members.lock());
        let left = members.iter().map(|member| member.leave(&self.publisher));
        let left = join_all(left).await;
        self.publisher.close().await;
        left.into_iter().collect()
    }
}
