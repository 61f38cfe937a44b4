//! The code behind an app: a guest, a native process, an app of another host.

use super::{Admission, Body, Exports, Usage};
use crate::{
    Call, Error, Result, actors, bindings, configuration, invocation, jobs, pubsub, workflow,
};
use async_trait::async_trait;
use bytes::Bytes;

/// The code of an app. Only [`App`](super::App) calls it, so `call` is always admitted, has a deadline and a span, and a
/// panic ends nothing but the call. An implementation has only what its exports say: the defaults refuse the rest.
#[async_trait]
pub trait Callee: Send + Sync {
    fn exports(&self) -> Exports;

    /// Answers one HTTP request, streamed both ways. The permit in `admission` is the call's for as long as anything works
    /// for it, which may be longer than until the answer begins.
    async fn http(
        &self,
        call: Call,
        admission: Admission,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let _ = (admission, request);
        Err(missing(&call, "invocation-handler"))
    }

    /// Answers one invocation where HTTP is too much; the app that asks is the parent of `call`.
    async fn invoke(
        &self,
        call: Call,
        request: invocation::Request,
    ) -> Result<invocation::Response> {
        let _ = request;
        Err(missing(&call, "invocation-handler"))
    }

    /// Lists the app's own subscriptions; empty for one that exports no subscriber.
    async fn subscriptions(&self, call: Call) -> Result<Vec<pubsub::Subscription>> {
        let _ = call;
        Ok(Vec::new())
    }

    /// Takes an event. An error means the same as [`pubsub::Verdict::Retry`].
    async fn on_event(&self, call: Call, delivery: pubsub::Delivery) -> Result<pubsub::Verdict> {
        let _ = delivery;
        Err(missing(&call, "subscriber"))
    }

    /// Lists the configuration that the app subscribes to; empty for one that exports no listener.
    async fn configurations(&self, call: Call) -> Result<Vec<configuration::Subscription>> {
        let _ = call;
        Ok(Vec::new())
    }

    /// Takes a change. After an error it comes again.
    async fn on_change(&self, call: Call, change: configuration::Change) -> Result<()> {
        let _ = change;
        Err(missing(&call, "configuration-listener"))
    }

    /// Lists the input bindings that the app listens to; empty for one that exports no listener.
    async fn inputs(&self, call: Call) -> Result<Vec<String>> {
        let _ = call;
        Ok(Vec::new())
    }

    /// Takes an input. Ok acknowledges, with the app's answer.
    async fn on_input(&self, call: Call, input: bindings::Input) -> Result<Bytes> {
        let _ = input;
        Err(missing(&call, "binding-listener"))
    }

    /// Runs an occurrence of a job. An error follows the job's failure policy.
    async fn run_job(&self, call: Call, occurrence: jobs::Occurrence) -> Result<()> {
        let _ = occurrence;
        Err(missing(&call, "job-runner"))
    }

    /// Lets go of instances that have been idle for long enough.
    fn sweep(&self) {}

    /// The amounts that the code holds now.
    fn usage(&self) -> Usage {
        Usage::default()
    }

    /// Digest of the code that answers now; other code has another one.
    fn digest(&self) -> String {
        String::new()
    }

    /// Lists the workflows that the app has; empty for one that exports no handler of them.
    async fn workflows(&self, call: Call) -> Result<Vec<String>> {
        let _ = call;
        Ok(Vec::new())
    }

    /// Runs until the workflow ends; it may be dropped at any wait. An error means that the code cannot go on, other
    /// than a failure, which is its answer.
    async fn run_workflow(
        &self,
        call: Call,
        context: workflow::Context,
        name: String,
        input: Bytes,
    ) -> Result<Result<Bytes, String>> {
        let _ = (context, name, input);
        Err(missing(&call, "workflow-handler"))
    }

    /// Lists the activities that the app has; empty for one that exports no handler of them.
    async fn activities(&self, call: Call) -> Result<Vec<String>> {
        let _ = call;
        Ok(Vec::new())
    }

    /// Makes one attempt of an activity. An error is tried again, as a failure is that says so.
    async fn run_activity(
        &self,
        call: Call,
        activity: workflow::ActivityCall,
    ) -> Result<Result<Bytes, workflow::Failure>> {
        let _ = activity;
        Err(missing(&call, "activity-handler"))
    }

    /// Lists the types of actors that the app has; empty for one that exports no handler.
    async fn actor_types(&self, call: Call) -> Result<Vec<actors::Type>> {
        let _ = call;
        Ok(Vec::new())
    }

    /// Runs one turn of an actor, which is [`Call::inside`] of `call`; its parent is absent where the host itself wakes
    /// the actor.
    async fn actor_turn(&self, call: Call, trigger: actors::Trigger) -> Result<Bytes> {
        let _ = trigger;
        Err(missing(&call, "actor-handler"))
    }

    /// Forgets an actor whose activation is over: nothing of it may be left for the next.
    fn forget_actor(&self, actor: &actors::Actor) {
        let _ = actor;
    }
}

fn missing(call: &Call, interface: &str) -> Error {
    Error::unsupported(format!(
        "app `{}` does not export wythe:blocks/{interface}",
        call.app_id()
    ))
}
