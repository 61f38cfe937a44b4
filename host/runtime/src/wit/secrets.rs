//! `wythe:blocks/secrets` and `wythe:blocks/reveal` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        reveal,
        secrets::{Host, HostSecret},
        types::Metadata,
    },
    ctx::Ctx,
    wit::Answer,
};
use wasmtime::{Result, component::Resource};
use wythe_blocks::secrets::Secret;

impl Host for Ctx {
    async fn names(&mut self, component: String) -> Answer<Vec<String>> {
        let secrets = &self.identity.tenant.secrets;
        Ok(secrets.names(&self.caller, &component).await?)
    }
}

impl HostSecret for Ctx {
    async fn get(
        &mut self,
        component: String,
        name: String,
        metadata: Metadata,
    ) -> Answer<Option<Resource<Secret>>> {
        let secrets = &self.identity.tenant.secrets;
        let found = secrets.get(&self.caller, &component, &name, &metadata);
        let found = found.await?.map(|secret| self.handle(secret));
        Ok(found.transpose()?)
    }

    async fn version(&mut self, secret: Resource<Secret>) -> Result<Option<String>> {
        Ok(self.table.get(&secret)?.version().map(str::to_owned))
    }

    async fn drop(&mut self, secret: Resource<Secret>) -> Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl reveal::Host for Ctx {
    async fn reveal(&mut self, secret: Resource<Secret>) -> Answer<Vec<(String, Vec<u8>)>> {
        let values = self.table.get(&secret)?.reveal(&self.caller)?.iter();
        Ok(values
            .map(|(name, value)| (name.clone(), value.reveal().to_vec()))
            .collect())
    }
}
