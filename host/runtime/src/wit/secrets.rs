//! `wythe:blocks/secrets` and `wythe:blocks/reveal` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        reveal,
        secrets::{Host, HostSecret},
        types::{Error as WitError, Metadata},
    },
    ctx::Ctx,
    wit::state::too_many,
};
use wasmtime::{Result, component::Resource};
use wythe_blocks::secrets::Secret;

type Answer<T> = Result<std::result::Result<T, WitError>>;

impl Host for Ctx {
    async fn names(&mut self, component: String) -> Answer<Vec<String>> {
        let secrets = &self.identity.tenant.secrets;
        let answer = secrets.names(&self.caller, &component).await;
        Ok(answer.map_err(Into::into))
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
        Ok(match found.await {
            Ok(None) => Ok(None),
            Ok(Some(secret)) => self.table.push(secret).map(Some).map_err(|_| too_many()),
            Err(error) => Err(error.into()),
        })
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
        let values = self.table.get(&secret)?.reveal(&self.caller);
        let values = values.map(|values| {
            let values = values.iter();
            values
                .map(|(name, value)| (name.clone(), value.reveal().to_vec()))
                .collect()
        });
        Ok(values.map_err(Into::into))
    }
}
