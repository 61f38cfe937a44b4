//! `wythe:blocks/actors` and `wythe:blocks/actor-context` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        actor_context::Host as ContextHost, actors::Host, pubsub::Event,
    },
    ctx::Ctx,
    wit::Answer,
};
use std::time::Duration;
use wythe_blocks::actors::context;

impl Host for Ctx {
    async fn invoke(
        &mut self,
        actor_type: String,
        id: String,
        method: String,
        data: Vec<u8>,
    ) -> Answer<Vec<u8>> {
        let actors = &self.identity.tenant.actors;
        let answer = actors.invoke(&self.caller, &actor_type, &id, &method, data.into());
        Ok(answer.await?.into())
    }
}

impl ContextHost for Ctx {
    async fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        let value = context(&self.caller)?.get(&self.caller, &key).await?;
        Ok(value.map(Into::into))
    }

    async fn put(&mut self, key: String, value: Vec<u8>, ttl: Option<u64>) -> Answer<()> {
        let ttl = ttl.map(Duration::from_millis);
        Ok(context(&self.caller)?.put(&self.caller, &key, value.into(), ttl)?)
    }

    async fn delete(&mut self, key: String) -> Answer<()> {
        Ok(context(&self.caller)?.delete(&self.caller, &key)?)
    }

    async fn keys(&mut self, prefix: String) -> Answer<Vec<String>> {
        Ok(context(&self.caller)?.keys(&self.caller, &prefix).await?)
    }

    async fn set_timer(
        &mut self,
        name: String,
        due: u64,
        period: Option<u64>,
        data: Vec<u8>,
    ) -> Answer<()> {
        let (due, period) = times(due, period);
        Ok(context(&self.caller)?.set_timer(&self.caller, &name, due, period, data.into())?)
    }

    async fn clear_timer(&mut self, name: String) -> Answer<()> {
        Ok(context(&self.caller)?.clear_timer(&self.caller, &name)?)
    }

    async fn set_reminder(
        &mut self,
        name: String,
        due: u64,
        period: Option<u64>,
        data: Vec<u8>,
    ) -> Answer<()> {
        let (due, period) = times(due, period);
        let turn = context(&self.caller)?;
        let set = turn.set_reminder(&self.caller, &name, due, period, data.into());
        Ok(set.await?)
    }

    async fn clear_reminder(&mut self, name: String) -> Answer<()> {
        let turn = context(&self.caller)?;
        Ok(turn.clear_reminder(&self.caller, &name).await?)
    }

    async fn publish(&mut self, component: String, topic: String, event: Event) -> Answer<()> {
        Ok(context(&self.caller)?.publish(&self.caller, &component, &topic, event.into())?)
    }
}

fn times(due: u64, period: Option<u64>) -> (Duration, Option<Duration>) {
    (
        Duration::from_millis(due),
        period.map(Duration::from_millis),
    )
}
