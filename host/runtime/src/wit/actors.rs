//! `wythe:blocks/actors` and `wythe:blocks/actor-context` for guests.

use crate::{
    bindings::{
        acts::wythe::blocks::actor_context::Host as ContextHost,
        app::wythe::blocks::{actors::Host, pubsub::Event, types::Error as WitError},
    },
    ctx::Ctx,
};
use std::time::Duration;
use wasmtime::Result;
use wythe_blocks::actors::context;

type Answer<T> = Result<std::result::Result<T, WitError>>;

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
        Ok(answer.await.map(Into::into).map_err(Into::into))
    }
}

impl ContextHost for Ctx {
    async fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        let answer = match context(&self.caller) {
            Ok(turn) => turn.get(&self.caller, &key).await,
            Err(error) => Err(error),
        };
        Ok(answer
            .map(|value| value.map(Into::into))
            .map_err(Into::into))
    }

    async fn put(&mut self, key: String, value: Vec<u8>, ttl: Option<u64>) -> Answer<()> {
        let ttl = ttl.map(Duration::from_millis);
        let caller = &self.caller;
        let answer = context(caller).and_then(|turn| turn.put(caller, &key, value.into(), ttl));
        Ok(answer.map_err(Into::into))
    }

    async fn delete(&mut self, key: String) -> Answer<()> {
        let caller = &self.caller;
        let answer = context(caller).and_then(|turn| turn.delete(caller, &key));
        Ok(answer.map_err(Into::into))
    }

    async fn keys(&mut self, prefix: String) -> Answer<Vec<String>> {
        let answer = match context(&self.caller) {
            Ok(turn) => turn.keys(&self.caller, &prefix).await,
            Err(error) => Err(error),
        };
        Ok(answer.map_err(Into::into))
    }

    async fn set_timer(
        &mut self,
        name: String,
        due: u64,
        period: Option<u64>,
        data: Vec<u8>,
    ) -> Answer<()> {
        let (due, period) = (
            Duration::from_millis(due),
            period.map(Duration::from_millis),
        );
        let caller = &self.caller;
        let answer = context(caller)
            .and_then(|turn| turn.set_timer(caller, &name, due, period, data.into()));
        Ok(answer.map_err(Into::into))
    }

    async fn clear_timer(&mut self, name: String) -> Answer<()> {
        let caller = &self.caller;
        let answer = context(caller).and_then(|turn| turn.clear_timer(caller, &name));
        Ok(answer.map_err(Into::into))
    }

    async fn set_reminder(
        &mut self,
        name: String,
        due: u64,
        period: Option<u64>,
        data: Vec<u8>,
    ) -> Answer<()> {
        let (due, period) = (
            Duration::from_millis(due),
            period.map(Duration::from_millis),
        );
        let answer = match context(&self.caller) {
            Ok(turn) => {
                turn.set_reminder(&self.caller, &name, due, period, data.into())
                    .await
            }
            Err(error) => Err(error),
        };
        Ok(answer.map_err(Into::into))
    }

    async fn clear_reminder(&mut self, name: String) -> Answer<()> {
        let answer = match context(&self.caller) {
            Ok(turn) => turn.clear_reminder(&self.caller, &name).await,
            Err(error) => Err(error),
        };
        Ok(answer.map_err(Into::into))
    }

    async fn publish(&mut self, component: String, topic: String, event: Event) -> Answer<()> {
        let answer = context(&self.caller)
            .and_then(|turn| turn.publish(&self.caller, &component, &topic, event.into()));
        Ok(answer.map_err(Into::into))
    }
}
