//! What the host may ask of an app. Guests and, later, native processes both implement it.

use crate::{Caller, Error, Result, bindings, configuration, invocation, jobs, pubsub};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use wythe_manifest::Name;

/// A streamed body between apps.
pub type Body = UnsyncBoxBody<Bytes, Error>;

/// A body that is all there already.
pub fn body_from(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// What an app answers to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exports {
    pub http: bool,
    pub invocation: bool,
    pub subscriber: bool,
    pub configuration_listener: bool,
    pub binding_listener: bool,
    pub job_runner: bool,
}

impl Exports {
    /// The interfaces that make a component an app.
    pub const INTERFACES: &'static str = "wasi:http/incoming-handler, wythe:blocks/invocation-handler, \
         wythe:blocks/subscriber, wythe:blocks/binding-listener, wythe:blocks/configuration-listener and \
         wythe:blocks/job-runner";
}

/// What an app does not answer to is refused, so an implementation has only what its exports say.
#[async_trait]
pub trait App: Send + Sync {
    fn id(&self) -> &Name;

    fn exports(&self) -> Exports;

    /// One HTTP request, streamed both ways. `caller` is who asks: an app, or absent for the outside world.
    async fn http(
        &self,
        caller: Option<&Caller>,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let _ = (caller, request);
        Err(deaf(self.id(), "invocation-handler"))
    }

    /// One invocation where HTTP is too much; only for an app that exports it.
    async fn invoke(
        &self,
        caller: &Caller,
        request: invocation::Request,
    ) -> Result<invocation::Response> {
        let _ = (caller, request);
        Err(deaf(self.id(), "invocation-handler"))
    }

    /// What the app itself subscribes to; empty for one that exports no subscriber.
    async fn subscriptions(&self) -> Result<Vec<pubsub::Subscription>> {
        Ok(Vec::new())
    }

    /// An error means the same as [`pubsub::Verdict::Retry`].
    async fn on_event(&self, delivery: pubsub::Delivery) -> Result<pubsub::Verdict> {
        let _ = delivery;
        Err(deaf(self.id(), "subscriber"))
    }

    /// The configuration that the app wants to hear of; empty for one that exports no listener.
    async fn configurations(&self) -> Result<Vec<configuration::Subscription>> {
        Ok(Vec::new())
    }

    /// An error is tried again.
    async fn on_change(&self, change: configuration::Change) -> Result<()> {
        let _ = change;
        Err(deaf(self.id(), "configuration-listener"))
    }

    /// The input bindings that the app listens to; empty for one that exports no listener.
    async fn inputs(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Ok acknowledges, with the app's answer.
    async fn on_input(&self, input: bindings::Input) -> Result<Bytes> {
        let _ = input;
        Err(deaf(self.id(), "binding-listener"))
    }

    /// An error follows the job's failure policy.
    async fn run_job(&self, occurrence: jobs::Occurrence) -> Result<()> {
        let _ = occurrence;
        Err(deaf(self.id(), "job-runner"))
    }
}

fn deaf(app: &Name, interface: &str) -> Error {
    Error::unsupported(format!(
        "app `{app}` does not export wythe:blocks/{interface}"
    ))
}
