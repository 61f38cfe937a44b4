//! `wythe:blocks/bindings` and `wythe:blocks/sealed-bindings` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        bindings::{self as wit, Host},
        sealed_bindings,
        types::{Error as WitError, Metadata},
    },
    ctx::Ctx,
};
use wasmtime::{Result, component::Resource};
use wythe_blocks::{
    bindings,
    secrets::{Secret, Value},
};

type Answer<T> = Result<std::result::Result<T, WitError>>;

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
        Ok(answer.await.map(Into::into).map_err(Into::into))
    }

    async fn operations(&mut self, component: String) -> Answer<Vec<String>> {
        let bindings = &self.identity.tenant.bindings;
        let answer = bindings.operations(&self.caller, &component);
        Ok(answer.map_err(Into::into))
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
        let secrets = match self.sealed(secrets)? {
            Ok(secrets) => secrets,
            Err(error) => return Ok(Err(error)),
        };
        let bindings = &self.identity.tenant.bindings;
        let answer = bindings.invoke_sealed(
            &self.caller,
            &component,
            &operation,
            data.into(),
            metadata,
            secrets,
        );
        Ok(answer.await.map(Into::into).map_err(Into::into))
    }
}

impl Ctx {
    /// The value of each handle, which the guest does not get to see.
    fn sealed(&self, secrets: Vec<(String, Resource<Secret>)>) -> Answer<Vec<(String, Value)>> {
        let mut values = Vec::with_capacity(secrets.len());
        for (name, secret) in secrets {
            match self.table.get(&secret)?.sealed() {
                Ok(value) => values.push((name, value)),
                Err(error) => return Ok(Err(error.into())),
            }
        }
        Ok(Ok(values))
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
