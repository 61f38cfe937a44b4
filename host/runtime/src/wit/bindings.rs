//! `wythe:blocks/bindings` and `wythe:blocks/sealed-bindings` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        bindings::{self as wit, Host},
        sealed_bindings,
        types::Metadata,
    },
    ctx::Ctx,
    wit::Answer,
};
use wasmtime::component::Resource;
use wythe_blocks::{bindings, secrets::Secret};

impl Host for Ctx {
    async fn invoke(
        &mut self,
        component: String,
        operation: String,
        data: Vec<u8>,
        metadata: Metadata,
    ) -> Answer<wit::Outcome> {
        let bindings = &self.identity.tenant.bindings;
        let answer = bindings.invoke(&self.caller, &component, &operation, data.into(), metadata);
        Ok(answer.await?.into())
    }

    async fn operations(&mut self, component: String) -> Answer<Vec<String>> {
        let bindings = &self.identity.tenant.bindings;
        Ok(bindings.operations(&self.caller, &component)?)
    }
}

impl sealed_bindings::Host for Ctx {
    async fn invoke(
        &mut self,
        component: String,
        operation: String,
        data: Vec<u8>,
        metadata: Metadata,
        secrets: Vec<(String, Resource<Secret>)>,
    ) -> Answer<wit::Outcome> {
        // The guest does not get to see the values.
        let sealed = |(name, secret)| Ok((name, self.table.get::<Secret>(&secret)?.sealed()?));
        let secrets: Answer<Vec<_>> = secrets.into_iter().map(sealed).collect();
        let bindings = &self.identity.tenant.bindings;
        let answer = bindings.invoke_sealed(
            &self.caller,
            &component,
            &operation,
            data.into(),
            metadata,
            secrets?,
        );
        Ok(answer.await?.into())
    }
}

impl From<bindings::Outcome> for wit::Outcome {
    fn from(outcome: bindings::Outcome) -> Self {
        wit::Outcome {
            data: outcome.data.into(),
            metadata: outcome.metadata,
        }
    }
}

impl From<wit::Outcome> for bindings::Outcome {
    fn from(outcome: wit::Outcome) -> Self {
        bindings::Outcome {
            data: outcome.data.into(),
            metadata: outcome.metadata,
        }
    }
}
