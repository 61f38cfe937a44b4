//! A queue as an outside system: `create` puts a message into it, and an app that listens is given what is in it.

use crate::{
    client::{Client, Side},
    consumer::{Given, Member, Source},
    fault::short,
    publisher::{Answer, Outgoing, Publisher},
    queue::{Queue, string, text},
    settings::{Binding as Settings, QueueType},
};
use async_trait::async_trait;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Backoff, Error, Result, Site,
    bindings::{Delivery, Driver, Features, Outcome, Request, Sink},
    time::milliseconds,
};

/// The pause before the second attempt; it doubles with each, up to the last.
const RETRY: Backoff = Backoff::SLOW;
/// Milliseconds of a message's time, as the server takes them.
const MAX_TTL: u64 = u32::MAX as u64;
/// Bytes of the metadata of a message: they are in one frame, and a server ends the connection over one that is too large.
const MAX_HEADERS: usize = 32 << 10;
/// Bytes of a pair of them beside its texts.
const HEADER: usize = 6;

pub(super) async fn open(
    client: Arc<Client>,
    settings: Settings,
    _: Site,
) -> Result<Arc<dyn Driver>> {
    client.begin().await?;
    // What is exclusive belongs to one connection.
    let side = match settings.is_exclusive {
        true => Side::Consuming,
        false => Side::Publishing,
    };
    let binding = Binding {
        publisher: Publisher::new(client.clone(), side),
        queue: queue(&settings)?,
        side,
        settings,
        client,
        is_closed: AtomicBool::new(false),
    };
    binding.declare().await?;
    Ok(Arc::new(binding))
}

struct Binding {
    client: Arc<Client>,
    publisher: Publisher,
    side: Side,
    settings: Settings,
    queue: Queue,
    is_closed: AtomicBool,
}

/// The queue as Dapr makes it.
fn queue(settings: &Settings) -> Result<Queue> {
    let name = short("`queueName`", &settings.queue)?;
    let mut queue = Queue::lasting(name, QueueType::Classic);
    let mut arguments = FieldTable::default();
    let number = |number: u64| AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX));
    if let Some(ttl) = settings.ttl {
        arguments.insert("x-message-ttl".into(), number(milliseconds(ttl)));
    }
    if let Some(priority) = settings.max_priority {
        arguments.insert("x-max-priority".into(), number(priority.into()));
    }
    queue.arguments = arguments;
    queue.options.durable = settings.is_durable;
    queue.options.auto_delete = settings.is_passing;
    queue.options.exclusive = settings.is_exclusive;
    Ok(queue)
}

impl Binding {
    fn check(&self) -> Result<()> {
        match self.is_closed.load(Relaxed) {
            false => Ok(()),
            true => Err(Error::unavailable("the component is closed")),
        }
    }

    async fn declare(&self) -> Result<()> {
        let channel = self.client.channel(self.side).await?;
        self.queue.declare(&self.client, &channel).await?;
        let closed = channel.close(200, "OK".into());
        self.client.bound("a channel", closed).await
    }

    fn outgoing(&self, request: &Request<'_>) -> Result<Outgoing> {
        let mut headers = FieldTable::default();
        let mut size = 0;
        for (name, value) in request.metadata {
            size += name.len() + value.len() + HEADER;
            headers.insert(short("a name of the metadata", name)?, text(value));
        }
        if size > MAX_HEADERS {
            return Err(Error::invalid(format!(
                "the metadata have {size} bytes; at most {MAX_HEADERS} are allowed"
            )));
        }
        let content_type = request.get("contentType");
        let content_type = content_type.unwrap_or(&self.settings.content_type);
        let mut properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type(short("`contentType`", content_type)?)
            .with_headers(headers);
        if let Some(expiration) = expiration(request)? {
            properties = properties.with_expiration(expiration);
        }
        if let Some(priority) = number::<u8>(request, "priority")? {
            properties = properties.with_priority(priority);
        }
        Ok(Outgoing {
            exchange: "".into(),
            key: self.queue.name.clone(),
            data: request.data.clone(),
            properties,
            is_mandatory: true,
        })
    }

    async fn send(&self, request: &Request<'_>) -> Result<Answer> {
        let about = format!("a message to the queue `{}`", self.queue.name);
        let outgoing = self.outgoing(request)?;
        self.publisher.send_one(None, outgoing, &about).await
    }
}

fn number<N: std::str::FromStr>(request: &Request<'_>, name: &str) -> Result<Option<N>> {
    let Some(text) = request.get(name) else {
        return Ok(None);
    };
    let wrong = |_| Error::invalid(format!("expected metadata `{name}` to be a number"));
    text.parse().map(Some).map_err(wrong)
}

/// The time after which the server drops a message, in milliseconds.
fn expiration(request: &Request<'_>) -> Result<Option<ShortString>> {
    let name = "ttlInSeconds";
    match number::<u32>(request, name)?.map(|seconds| u64::from(seconds) * 1_000) {
        None => Ok(None),
        Some(time @ 0..=MAX_TTL) => short(name, &time.to_string()).map(Some),
        Some(_) => Err(Error::invalid(format!(
            "expected metadata `{name}` to be at most {}",
            MAX_TTL / 1_000
        ))),
    }
}

/// The delivery that the app gets: the body, and the headers that are texts.
fn delivery(given: &Given) -> Delivery {
    let headers = given.properties.headers().clone().unwrap_or_default();
    let texts = headers.inner().iter();
    let metadata = texts.filter_map(|(name, value)| Some((name.to_string(), string(value)?)));
    Delivery {
        data: given.data.clone(),
        metadata: metadata.collect(),
        attempt: given.attempt,
    }
}

async fn deliver(member: Arc<Member>, sink: Arc<dyn Sink>, given: Given) {
    let delivered = sink.deliver(delivery(&given)).await;
    let settled = match delivered {
        Ok(_) => member.ack(&given.receipt).await,
        Err(_) => member.postpone(&given.receipt, RETRY.after(given.attempt)),
    };
    if let Err(error) = settled {
        tracing::debug!("a message comes again: {}", error.chain());
    }
}

#[async_trait]
impl Driver for Binding {
    fn features(&self) -> Features {
        Features {
            operations: vec!["create".to_owned()],
            input: true,
            redelivers: true,
            secrets: false,
        }
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        self.check()?;
        let mut answer = self.send(&request).await?;
        if answer == Answer::Returned {
            // Somebody deleted the queue, or it ended with its last consumer.
            self.declare().await?;
            answer = self.send(&request).await?;
        }
        match answer {
            Answer::Stored => Ok(Outcome::default()),
            Answer::Returned => Err(Error::unavailable(format!(
                "the queue `{}` is gone again; it is made anew by the next call",
                self.queue.name
            ))),
            Answer::Refused => Err(Error::exhausted(format!(
                "the server refused the message: the queue `{}` is full",
                self.queue.name
            ))
            .with_retry_after(Duration::from_secs(1))),
        }
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        self.check()?;
        let source = Source {
            client: self.client.clone(),
            queue: self.queue.clone(),
            prefetch: self.settings.prefetch,
        };
        let at_once = usize::from(self.settings.prefetch);
        let member = Arc::new(Member::join(source).await?);
        let mut deliveries = JoinSet::new();
        loop {
            let free = at_once.saturating_sub(deliveries.len());
            let pulled = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = deliveries.join_next() => continue,
                pulled = member.pull(free.max(1)), if free > 0 => pulled,
            };
            match pulled {
                Ok(given) => {
                    for one in given {
                        deliveries.spawn(deliver(member.clone(), sink.clone(), one));
                    }
                }
                Err(error) if self.is_closed.load(Relaxed) => return Err(error),
                Err(error) => {
                    let queue = self.queue.about();
                    tracing::warn!(queue, "read: {}", error.chain());
                }
            }
        }
        while deliveries.join_next().await.is_some() {}
        member.leaving().leave(&self.publisher).await
    }

    fn describe(&self) -> Option<String> {
        let queue = self.queue.about();
        Some(format!("{}, {queue}", self.client.describe()))
    }

    async fn health(&self) -> Result<()> {
        self.check()?;
        self.client.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        self.publisher.close().await;
        Ok(())
    }
}
