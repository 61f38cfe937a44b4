//! What the host may ask of an app. Guests and, later, native processes both implement it.

use crate::{Caller, Error, Result, invocation, pubsub};
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
}

#[async_trait]
pub trait App: Send + Sync {
    fn id(&self) -> &Name;

    fn exports(&self) -> Exports;

    /// One HTTP request, streamed both ways. `caller` is who asks: an app, or absent for the outside world.
    async fn http(
        &self,
        caller: Option<&Caller>,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>>;

    /// One invocation where HTTP is too much; only for an app that exports it.
    async fn invoke(
        &self,
        caller: &Caller,
        request: invocation::Request,
    ) -> Result<invocation::Response>;

    /// What the app itself subscribes to; empty for one that exports no subscriber.
    async fn subscriptions(&self) -> Result<Vec<pubsub::Subscription>>;

    /// An error means the same as [`pubsub::Verdict::Retry`].
    async fn on_event(&self, delivery: pubsub::Delivery) -> Result<pubsub::Verdict>;
}
