//! A broker that is a plugin. The host pulls it, and takes its seat again after a fault.

use super::plugged::{Effect, Plugged, World};
use crate::{
    bindings::app::wythe::blocks::types::Metadata,
    bindings::pubsub_plugin::{
        PubsubPlugin, PubsubPluginIndices, exports::wythe::plugin::pubsub_driver as wit,
    },
    ctx::Ctx,
    engine::Runtime,
    wit::milliseconds,
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use tokio::sync::Mutex;
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};
use wythe_blocks::{
    Error, Host, Result, Site,
    pubsub::{Driver, Features, Message, Receipt, Received, Seat, SubscribeOptions},
};
use wythe_manifest::Component;

/// Bytes of a receipt.
const RECEIPT: usize = 1 << 10;
/// Between two pulls that found nothing: from the first to the last, doubling.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LAST_WAIT: Duration = Duration::from_millis(100);

struct PubSubWorld;

impl World for PubSubWorld {
    type Indices = PubsubPluginIndices;
    type Guest = PubsubPlugin;
    const INTERFACE: &'static str = "wythe:plugin/pubsub-plugin@0.1.0";

    fn indices(pre: &InstancePre<Ctx>) -> wasmtime::Result<PubsubPluginIndices> {
        PubsubPluginIndices::new(pre)
    }

    fn load(
        indices: &PubsubPluginIndices,
        store: &mut Store<Ctx>,
        instance: &Instance,
    ) -> wasmtime::Result<PubsubPlugin> {
        indices.load(store, instance)
    }

    async fn init(
        guest: &PubsubPlugin,
        store: &mut Store<Ctx>,
        component: &str,
        metadata: &Metadata,
    ) -> wasmtime::Result<Result<()>> {
        let answer = guest
            .wythe_plugin_lifecycle()
            .call_init(store, component, metadata)
            .await?;
        Ok(answer.map_err(Into::into))
    }
}

struct PubSubDriver {
    plugged: Arc<Plugged<PubSubWorld>>,
    features: Features,
}

pub async fn open(
    runtime: Arc<Runtime>,
    host: Arc<Host>,
    component: Component,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    let plugged = Plugged::<PubSubWorld>::open(runtime, host, component, site).await?;
    let features = plugged
        .run(Effect::Reads, async |guest, store, _| {
            guest
                .wythe_plugin_lifecycle()
                .call_ping(&mut *store)
                .await?
                .map_err(|error| Error::from(error))?;
            Ok(Ok(guest
                .wythe_plugin_pubsub_driver()
                .call_describe(store)
                .await?))
        })
        .await?;
    Ok(Arc::new(PubSubDriver {
        plugged: Arc::new(plugged),
        features: features.into(),
    }))
}

#[async_trait]
impl Driver for PubSubDriver {
    fn features(&self) -> Features {
        self.features
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let message = message.into();
        self.plugged
            .run(Effect::Writes, async |guest, store, _| {
                let answer = guest
                    .wythe_plugin_pubsub_driver()
                    .call_publish(store, topic, &message)
                    .await?;
                Ok(answer.map_err(Into::into))
            })
            .await
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Seat>> {
        let seat = PluginSeat {
            plugged: self.plugged.clone(),
            topic: topic.to_owned(),
            group: group.to_owned(),
            metadata: options.metadata.into_iter().collect(),
            handle: Mutex::default(),
        };
        // At once, so that what is published from now on is the group's.
        seat.with_handle(Effect::Reads, async |_, _, _| Ok(Ok(())))
            .await?;
        Ok(Box::new(seat))
    }
}

struct PluginSeat {
    plugged: Arc<Plugged<PubSubWorld>>,
    topic: String,
    group: String,
    metadata: Metadata,
    /// The plugin's handle, and the generation of the instance that gave it.
    handle: Mutex<Option<(u64, u64)>>,
}

impl PluginSeat {
    /// Runs a call with a handle of the instance that lives now.
    async fn with_handle<T>(
        &self,
        effect: Effect,
        run: impl AsyncFnOnce(&PubsubPlugin, &mut Store<Ctx>, u64) -> wasmtime::Result<Result<T>>,
    ) -> Result<T> {
        let mut handle = self.handle.lock().await;
        self.plugged
            .run(effect, async |guest, store, generation| {
                let known = handle
                    .filter(|(of, _)| *of == generation)
                    .map(|(_, handle)| handle);
                let current = match known {
                    Some(current) => current,
                    None => {
                        let driver = guest.wythe_plugin_pubsub_driver();
                        match driver
                            .call_subscribe(&mut *store, &self.topic, &self.group, &self.metadata)
                            .await?
                        {
                            Ok(new) => new,
                            Err(error) => return Ok(Err(error.into())),
                        }
                    }
                };
                *handle = Some((generation, current));
                run(guest, store, current).await
            })
            .await
    }

    async fn pull_once(&self, max: usize) -> Result<Vec<Received>> {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        let deliveries = self
            .with_handle(Effect::Reads, async |guest, store, handle| {
                let answer = guest
                    .wythe_plugin_pubsub_driver()
                    .call_pull(store, handle, max)
                    .await?;
                Ok(answer.map_err(Into::into))
            })
            .await?;
        if deliveries.len() > max as usize {
            return Err(self
                .plugged
                .lie("answered `pull` with more messages than asked for"));
        }
        if deliveries
            .iter()
            .any(|delivery| delivery.receipt.len() > RECEIPT)
        {
            return Err(self
                .plugged
                .lie("answered with a receipt longer than 1 KiB"));
        }
        Ok(deliveries.into_iter().map(Into::into).collect())
    }
}

#[async_trait]
impl Seat for PluginSeat {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let mut wait = FIRST_WAIT;
        loop {
            let received = self.pull_once(max).await?;
            if !received.is_empty() {
                return Ok(received);
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let count = receipts.len();
        let answers = self
            .with_handle(Effect::Reads, async |guest, store, handle| {
                Ok(Ok(guest
                    .wythe_plugin_pubsub_driver()
                    .call_ack(store, handle, &receipts)
                    .await?))
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
                    .plugged
                    .lie("answered `ack` with another number of results"),
            ),
            Err(error) => failed(&error),
        }
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        self.with_handle(Effect::Reads, async |guest, store, handle| {
            let driver = guest.wythe_plugin_pubsub_driver();
            let answer = driver
                .call_nack(store, handle, &receipt, milliseconds(delay))
                .await?;
            Ok(answer.map_err(Into::into))
        })
        .await
    }
}

impl Drop for PluginSeat {
    fn drop(&mut self) {
        let Some((generation, handle)) = *self.handle.get_mut() else {
            return;
        };
        let plugged = self.plugged.clone();
        let end = async move {
            let ended = plugged.run(Effect::Reads, async |guest, store, now| {
                if now == generation {
                    guest
                        .wythe_plugin_pubsub_driver()
                        .call_unsubscribe(store, handle)
                        .await?;
                }
                Ok(Ok(()))
            });
            if let Err(error) = ended.await {
                tracing::warn!("unsubscribe: {}", error.chain());
            }
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(end);
        }
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
            attempt: delivery.attempt,
            receipt: delivery.receipt,
        }
    }
}
