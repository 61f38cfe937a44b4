//! `wythe:blocks/configuration` for guests.

use crate::{
    bindings::app::wythe::blocks::configuration::{self as wit, Host},
    ctx::Ctx,
    wit::Answer,
};
use wythe_blocks::configuration;

impl Host for Ctx {
    async fn get(&mut self, component: String, keys: Vec<String>) -> Answer<wit::Snapshot> {
        let block = &self.identity.tenant.configuration;
        Ok(block.get(&self.caller, &component, &keys).await?.into())
    }

    async fn changed(
        &mut self,
        component: String,
        keys: Vec<String>,
        version: String,
    ) -> Answer<Option<wit::Snapshot>> {
        let block = &self.identity.tenant.configuration;
        let changed = block.changed(&self.caller, &component, &keys, &version);
        Ok(changed.await?.map(Into::into))
    }

    async fn subscribe(&mut self, component: String, keys: Vec<String>) -> Answer<String> {
        let block = &self.identity.tenant.configuration;
        Ok(block.subscribe(&self.caller, &component, &keys).await?)
    }

    async fn unsubscribe(&mut self, component: String, id: String) -> Answer<()> {
        let block = &self.identity.tenant.configuration;
        Ok(block.unsubscribe(&self.caller, &component, &id).await?)
    }
}

impl From<configuration::Snapshot> for wit::Snapshot {
    fn from(snapshot: configuration::Snapshot) -> Self {
        wit::Snapshot {
            items: snapshot.items.into_iter().map(Into::into).collect(),
            version: snapshot.version,
        }
    }
}

impl From<configuration::Item> for wit::Item {
    fn from(item: configuration::Item) -> Self {
        wit::Item {
            key: item.key,
            value: item.value,
            version: item.version,
            metadata: item.metadata,
        }
    }
}
