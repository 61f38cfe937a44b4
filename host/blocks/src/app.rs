//! What the host may ask of an app. Guests and, later, native processes both implement it.

mod guarded;

pub(crate) use guarded::guarded;

use crate::{
    Caller, Error, Result, actors, bindings, configuration, invocation, jobs, pubsub, workflow,
};
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
    pub workflow_handler: bool,
    pub activity_handler: bool,
    pub actor_handler: bool,
}

impl Exports {
    /// The interfaces that make a component an app.
    pub const INTERFACES: &'static str = "wasi:http/incoming-handler, wythe:blocks/invocation-handler, \
         wythe:blocks/subscriber, wythe:blocks/binding-listener, wythe:blocks/configuration-listener, \
         wythe:blocks/job-runner, wythe:blocks/actor-handler, wythe:blocks/workflow-handler and \
         wythe:blocks/activity-handler";
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

    /// Of the code that answers now: another code has another one.
    fn digest(&self) -> String {
        String::new()
    }

    /// Instances of the app's workflows that may be there and not have ended; 100,000 by default.
    fn instances(&self) -> usize {
        100_000
    }

    /// The workflows that the app has; none for one that exports no handler of them.
    async fn workflows(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Runs until the workflow ends; it may be dropped at any wait. An error means that the code cannot go on, other
    /// than a failure, which is its answer.
    async fn run_workflow(
        &self,
        context: workflow::Context,
        name: String,
        input: Bytes,
    ) -> Result<Result<Bytes, String>> {
        let _ = (context, name, input);
        Err(deaf(self.id(), "workflow-handler"))
    }

    /// The activities that the app has; none for one that exports no handler of them.
    async fn activities(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// An error is tried again, as a failure is that says so.
    async fn run_activity(&self, call: workflow::Call) -> Result<Result<Bytes, workflow::Failure>> {
        let _ = call;
        Err(deaf(self.id(), "activity-handler"))
    }

    /// The types of actors that the app has; empty for one that exports no handler.
    async fn actor_types(&self) -> Result<Vec<actors::Type>> {
        Ok(Vec::new())
    }

    /// One turn of an actor. `from` is who calls: absent where the host itself wakes the actor. The guest runs as a
    /// caller that is [`Caller::within`] `inside`.
    async fn actor_turn(
        &self,
        from: Option<&Caller>,
        inside: actors::Inside,
        trigger: actors::Trigger,
    ) -> Result<Bytes> {
        let _ = (from, inside, trigger);
        Err(deaf(self.id(), "actor-handler"))
    }

    /// The actor's activation is over: nothing of it may be left for the next.
    fn forget_actor(&self, actor: &actors::Actor) {
        let _ = actor;
    }
}

fn deaf(app: &Name, interface: &str) -> Error {
    Error::unsupported(format!(
        "app `{app}` does not export wythe:blocks/{interface}"
    ))
}
