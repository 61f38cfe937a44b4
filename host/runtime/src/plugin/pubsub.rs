//! A broker that is a plugin. The host pulls it, and subscribes again after a fault.

use super::{
    ATTEMPTS,
    plugged::{Answer, Effect, Plugged, world},
};
use crate::{
    bindings::app::wythe::blocks::types::Metadata,
    bindings::plugin::exports::wythe::plugin::pubsub_driver::{self as wit, Guest},
    ctx::Ctx,
    error::Failure,
    wit::milliseconds,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use wasmtime::Store;
use wythe_blocks::{
    Backoff, Error, Result,
    pubsub::{Consumer, Driver, Features, Message, Receipt, Received, SubscribeOptions},
};

/// Bytes of a receipt.
const RECEIPT: usize = 1 << 10;
/// The pause between two pulls that found nothing: from the first to the last, doubling.
const WAIT: Backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(100));

world! { PubSubWorld: pubsub_driver, "wythe:plugin/pubsub-plugin@0.1.0" }

struct PubSubDriver {
    plugged: Arc<Plugged<PubSubWorld>>,
    features: Features,
    left: Arc<Left>,
}

/// Consumers that ended and of which the plugin does not know yet. It hears of them before whatever it is asked next, so
/// that no later consumer meets one.
#[derive(Default)]
struct Left(Mutex<Vec<Handle>>);

/// The generation of the instance that gave a handle, and the handle.
type Handle = (u64, u64);

impl Left {
    async fn report(
        &self,
        driver: &Guest,
        store: &mut Store<Ctx>,
        generation: u64,
    ) -> wasmtime::Result<()> {
        let left = std::mem::take(&mut *self.0.lock());
        // With an instance that is gone, its consumers are gone, too.
        for (_, handle) in left.into_iter().filter(|(of, _)| *of == generation) {
            driver.call_unsubscribe(&mut *store, handle).await?;
        }
        Ok(())
    }
}

pub async fn open(plugged: Arc<Plugged<PubSubWorld>>) -> Result<Arc<dyn Driver>> {
    let features = plugged
        .run(Effect::Reads, |driver, store, _| {
            Box::pin(async move { Ok(driver.call_describe(store).await?) })
        })
        .await?;
    Ok(Arc::new(PubSubDriver {
        plugged,
        features: features.into(),
        left: Arc::default(),
    }))
}

#[async_trait]
impl Driver for PubSubDriver {
    fn features(&self) -> Features {
        self.features
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let (topic, left) = (topic.to_owned(), self.left.clone());
        self.plugged
            .run(Effect::Writes, move |driver, store, generation| {
                Box::pin(async move {
                    left.report(driver, store, generation).await?;
                    Ok(driver
                        .call_publish(store, &topic, &message.into())
                        .await??)
                })
            })
            .await
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        let consumer = PluginConsumer(Arc::new(Shared {
            plugged: self.plugged.clone(),
            topic: topic.to_owned(),
            group: group.to_owned(),
            metadata: metadata(options),
            left: self.left.clone(),
            handle: Mutex::default(),
            pulled: Mutex::default(),
            asked: AtomicU64::new(0),
        }));
        // At once, so that what is published from now on is the group's.
        consumer
            .0
            .call(|_, _, _| Box::pin(async { Ok(()) }))
            .await?;
        Ok(Box::new(consumer))
    }
}

struct PluginConsumer(Arc<Shared>);

/// The things that a call needs and that may outlive the consumer.
struct Shared {
    plugged: Arc<Plugged<PubSubWorld>>,
    topic: String,
    group: String,
    metadata: Metadata,
    left: Arc<Left>,
    handle: Mutex<Option<Handle>>,
    /// Messages that were pulled and not yet taken: a pull that nobody waits for any more loses nothing.
    pulled: Mutex<Vec<Received>>,
    /// The part of the plugin's time that was rested for already.
    asked: AtomicU64,
}

impl Shared {
    /// Runs a call with a handle of the instance that lives now.
    async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        run: impl for<'a> FnOnce(&'a Guest, &'a mut Store<Ctx>, u64) -> Answer<'a, T> + Send + 'static,
    ) -> Result<T> {
        let shared = self.clone();
        self.plugged
            .run(Effect::Reads, move |driver, store, generation| {
                Box::pin(async move {
                    shared.left.report(driver, store, generation).await?;
                    let handle = shared.handle(driver, store, generation).await?;
                    run(driver, store, handle).await
                })
            })
            .await
    }

    async fn handle(
        &self,
        driver: &Guest,
        store: &mut Store<Ctx>,
        generation: u64,
    ) -> Result<u64, Failure> {
        let known = *self.handle.lock();
        if let Some((_, handle)) = known.filter(|(of, _)| *of == generation) {
            return Ok(handle);
        }
        let subscribed = driver.call_subscribe(store, &self.topic, &self.group, &self.metadata);
        let handle = subscribed.await??;
        *self.handle.lock() = Some((generation, handle));
        Ok(handle)
    }

    async fn pull_once(self: &Arc<Self>, max: usize) -> Result<()> {
        let consumer = self.clone();
        let limit = u32::try_from(max).unwrap_or(u32::MAX);
        self.call(move |driver, store, handle| {
            Box::pin(async move {
                let deliveries = driver.call_pull(store, handle, limit).await??;
                Ok(consumer.buffer(deliveries, max)?)
            })
        })
        .await
    }

    fn take(&self, max: usize) -> Vec<Received> {
        let mut pulled = self.pulled.lock();
        let count = pulled.len().min(max);
        pulled.drain(..count).collect()
    }

    fn buffer(&self, deliveries: Vec<wit::Delivery>, max: usize) -> Result<()> {
        if deliveries.len() > max {
            return Err(self
                .plugged
                .violation("answered `pull` with more messages than asked for"));
        }
        if deliveries
            .iter()
            .any(|delivery| delivery.receipt.len() > RECEIPT)
        {
            return Err(self
                .plugged
                .violation("answered with a receipt longer than 1 KiB"));
        }
        if deliveries.iter().any(|one| one.attempt > ATTEMPTS) {
            return Err(self
                .plugged
                .violation("answered with a message of more than 1,000,000 attempts"));
        }
        self.pulled
            .lock()
            .extend(deliveries.into_iter().map(Received::from));
        Ok(())
    }
}

#[async_trait]
impl Consumer for PluginConsumer {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let mut wait = WAIT;
        loop {
            if self.0.pulled.lock().is_empty() {
                self.0.plugged.rest(&self.0.asked).await;
                self.0.pull_once(max).await?;
            }
            let received = self.0.take(max);
            if !received.is_empty() {
                return Ok(received);
            }
            tokio::time::sleep(wait.fail()).await;
        }
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let count = receipts.len();
        let answers = self
            .0
            .call(move |driver, store, handle| {
                Box::pin(async move { Ok(driver.call_ack(store, handle, &receipts).await?) })
            })
            .await;
        let failed = |error: &Error| (0..count).map(|_| Err(error.duplicate())).collect();
        match answers {
            Ok(answers) if answers.len() == count => answers
                .into_iter()
                .map(|answer| answer.map_err(Into::into))
                .collect(),
            Ok(_) => failed(
                &self
                    .0
                    .plugged
                    .violation("answered `ack` with another number of results"),
            ),
            Err(error) => failed(&error),
        }
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        self.0
            .call(move |driver, store, handle| {
                Box::pin(async move {
                    Ok(driver
                        .call_nack(store, handle, &receipt, milliseconds(delay))
                        .await??)
                })
            })
            .await
    }
}

impl Drop for PluginConsumer {
    fn drop(&mut self) {
        let Some(handle) = *self.0.handle.lock() else {
            return;
        };
        self.0.left.0.lock().push(handle);
        let (plugged, left) = (self.0.plugged.clone(), self.0.left.clone());
        let end = async move {
            let reported = plugged.run(Effect::Reads, move |driver, store, generation| {
                Box::pin(async move { Ok(left.report(driver, store, generation).await?) })
            });
            if let Err(error) = reported.await {
                tracing::warn!("unsubscribe: {}", error.chain());
            }
        };
        self.0.plugged.tasks().spawn_late(end);
    }
}

impl From<Message> for wit::Message {
    fn from(message: Message) -> Self {
        wit::Message {
            data: message.data.into(),
            content_type: message.content_type,
            ordering_key: message.ordering_key,
            attributes: message.attributes,
            delay: message.delay.map(milliseconds),
        }
    }
}

impl From<wit::Message> for Message {
    fn from(message: wit::Message) -> Self {
        Message {
            data: message.data.into(),
            content_type: message.content_type,
            ordering_key: message.ordering_key,
            attributes: message.attributes,
            delay: message.delay.map(Duration::from_millis),
        }
    }
}

impl From<wit::Delivery> for Received {
    fn from(delivery: wit::Delivery) -> Self {
        Received {
            message: delivery.message.into(),
            attempt: delivery.attempt.max(1),
            receipt: delivery.receipt,
        }
    }
}

/// A group that ends with its consumer is marked as one that nobody shares.
fn metadata(mut options: SubscribeOptions) -> Metadata {
    if options.ephemeral {
        options.metadata.insert("broadcast".into(), "true".into());
    }
    options.metadata.into_iter().collect()
}
