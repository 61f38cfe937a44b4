//! `wythe:blocks/pubsub` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        pubsub::{self as wit, Host, HostTopic},
        types::Error as WitError,
    },
    ctx::Ctx,
    wit::{Answer, check_items},
};
use std::time::Duration;
use wasmtime::{Result, component::Resource};
use wythe_blocks::pubsub::{self, Topic};

impl Host for Ctx {}

impl HostTopic for Ctx {
    async fn open(&mut self, component: String, name: String) -> Answer<Resource<Topic>> {
        let pubsub = &self.identity.tenant.pubsub;
        let topic = pubsub.open(&self.caller, &component, &name)?;
        Ok(self.handle(topic)?)
    }

    async fn features(&mut self, topic: Resource<Topic>) -> Result<wit::Features> {
        Ok(self.table.get(&topic)?.features().into())
    }

    async fn publish(
        &mut self,
        topic: Resource<Topic>,
        event: wit::Event,
        options: Option<wit::PublishOptions>,
    ) -> Answer<String> {
        let options = options.map(Into::into).unwrap_or_default();
        let topic = self.table.get(&topic)?;
        let published = topic.publish(&self.caller, event.into(), &options);
        Ok(published.await?)
    }

    async fn publish_many(
        &mut self,
        topic: Resource<Topic>,
        events: Vec<wit::Event>,
        options: Option<wit::PublishOptions>,
    ) -> Result<Vec<std::result::Result<String, WitError>>> {
        check_items("`publish-many`", events.len())?;
        let options = options.map(Into::into).unwrap_or_default();
        let events = events.into_iter().map(Into::into).collect();
        let topic = self.table.get(&topic)?;
        let answers = topic.publish_many(&self.caller, events, &options).await;
        Ok(answers
            .into_iter()
            .map(|answer| answer.map_err(Into::into))
            .collect())
    }

    async fn drop(&mut self, topic: Resource<Topic>) -> Result<()> {
        self.table.delete(topic)?;
        Ok(())
    }
}

impl From<pubsub::Features> for wit::Features {
    fn from(f: pubsub::Features) -> Self {
        wit::Features {
            durable: f.durable,
            ordering: f.ordering,
            delay: f.delay,
            max_message_bytes: f.max_message_bytes,
        }
    }
}

impl From<wit::Features> for pubsub::Features {
    fn from(f: wit::Features) -> Self {
        pubsub::Features {
            durable: f.durable,
            ordering: f.ordering,
            delay: f.delay,
            // The interface of a plugin has no words for it.
            dead_letters: false,
            counted: false,
            max_message_bytes: f.max_message_bytes,
        }
    }
}

impl From<wit::Event> for pubsub::Event {
    fn from(event: wit::Event) -> Self {
        pubsub::Event {
            id: event.id,
            kind: event.kind,
            subject: event.subject,
            content_type: event.content_type,
            data: event.data.into(),
            ordering_key: event.ordering_key,
            extensions: event.extensions,
            trace: None,
        }
    }
}

impl From<pubsub::Event> for wit::Event {
    fn from(event: pubsub::Event) -> Self {
        wit::Event {
            id: event.id,
            kind: event.kind,
            subject: event.subject,
            content_type: event.content_type,
            data: event.data.into(),
            ordering_key: event.ordering_key,
            extensions: event.extensions,
        }
    }
}

impl From<wit::PublishOptions> for pubsub::PublishOptions {
    fn from(options: wit::PublishOptions) -> Self {
        pubsub::PublishOptions {
            ttl: options.ttl.map(Duration::from_millis),
            delay: options.delay.map(Duration::from_millis),
            raw: options.raw,
            metadata: options.metadata,
        }
    }
}
