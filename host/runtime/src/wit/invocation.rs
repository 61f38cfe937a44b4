//! `wythe:blocks/invocation` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        invocation::{self as wit, Host},
        types::Error as WitError,
    },
    ctx::Ctx,
    wit::{Answer, check_items},
};
use wasmtime::Result;
use wythe_blocks::invocation;

impl Host for Ctx {
    async fn invoke(&mut self, app: String, request: wit::Request) -> Answer<wit::Response> {
        let invocation = &self.identity.tenant.invocation;
        let response = invocation.invoke(&self.caller, &app, request.into());
        Ok(response.await?.into())
    }

    async fn invoke_many(
        &mut self,
        calls: Vec<(String, wit::Request)>,
    ) -> Result<Vec<std::result::Result<wit::Response, WitError>>> {
        check_items("`invoke-many`", calls.len())?;
        let calls = calls
            .into_iter()
            .map(|(app, request)| (app, request.into()))
            .collect();
        let answers = self
            .identity
            .tenant
            .invocation
            .invoke_many(&self.caller, calls)
            .await;
        let answers = answers.into_iter();
        Ok(answers
            .map(|answer| answer.map(Into::into).map_err(Into::into))
            .collect())
    }
}

impl From<wit::Request> for invocation::Request {
    fn from(request: wit::Request) -> Self {
        let headers = request.headers.into_iter();
        invocation::Request {
            method: request.method,
            path: request.path,
            headers: headers.map(|(name, value)| (name, value.into())).collect(),
            body: request.body.into(),
        }
    }
}

impl From<invocation::Request> for wit::Request {
    fn from(request: invocation::Request) -> Self {
        let headers = request.headers.into_iter();
        wit::Request {
            method: request.method,
            path: request.path,
            headers: headers.map(|(name, value)| (name, value.into())).collect(),
            body: request.body.into(),
        }
    }
}

impl From<invocation::Response> for wit::Response {
    fn from(response: invocation::Response) -> Self {
        let headers = response.headers.into_iter();
        wit::Response {
            status: response.status,
            headers: headers.map(|(name, value)| (name, value.into())).collect(),
            body: response.body.into(),
        }
    }
}

impl From<wit::Response> for invocation::Response {
    fn from(response: wit::Response) -> Self {
        let headers = response.headers.into_iter();
        invocation::Response {
            status: response.status,
            headers: headers.map(|(name, value)| (name, value.into())).collect(),
            body: response.body.into(),
        }
    }
}
