//! The start of every call of an app: a panic on the way ends this call alone, as an error.

use super::{App, Body, Exports};
use crate::{
    Caller, Kind, Result, actors, bindings, configuration, invocation, jobs, panics, pubsub,
    workflow,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};
use wythe_manifest::Name;

/// The app as the blocks call it. An `internal` error in place of a panic: the event comes again, the job follows its
/// failure policy, the input is settled.
pub(crate) fn guarded(app: Arc<dyn App>) -> Arc<dyn App> {
    Arc::new(Guarded(app))
}

struct Guarded(Arc<dyn App>);

impl Guarded {
    async fn call<T>(&self, export: &str, call: impl Future<Output = Result<T>>) -> Result<T> {
        let what = || format!("`{export}` of app `{}`", self.0.id());
        panics::caught(Kind::Internal, what, call).await
    }
}

#[async_trait]
impl App for Guarded {
    fn id(&self) -> &Name {
        self.0.id()
    }

    fn exports(&self) -> Exports {
        self.0.exports()
    }

    async fn http(
        &self,
        caller: Option<&Caller>,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        self.call("http", self.0.http(caller, request)).await
    }

    async fn invoke(
        &self,
        caller: &Caller,
        request: invocation::Request,
    ) -> Result<invocation::Response> {
        self.call("invoke", self.0.invoke(caller, request)).await
    }

    async fn subscriptions(&self) -> Result<Vec<pubsub::Subscription>> {
        self.call("subscriptions", self.0.subscriptions()).await
    }

    async fn on_event(&self, delivery: pubsub::Delivery) -> Result<pubsub::Verdict> {
        self.call("on-event", self.0.on_event(delivery)).await
    }

    async fn configurations(&self) -> Result<Vec<configuration::Subscription>> {
        self.call("configurations", self.0.configurations()).await
    }

    async fn on_change(&self, change: configuration::Change) -> Result<()> {
        self.call("on-change", self.0.on_change(change)).await
    }

    async fn inputs(&self) -> Result<Vec<String>> {
        self.call("inputs", self.0.inputs()).await
    }

    async fn on_input(&self, input: bindings::Input) -> Result<Bytes> {
        self.call("on-input", self.0.on_input(input)).await
    }

    async fn run_job(&self, occurrence: jobs::Occurrence) -> Result<()> {
        self.call("run", self.0.run_job(occurrence)).await
    }

    fn digest(&self) -> String {
        self.0.digest()
    }

    fn instances(&self) -> usize {
        self.0.instances()
    }

    async fn workflows(&self) -> Result<Vec<String>> {
        self.call("workflows", self.0.workflows()).await
    }

    async fn run_workflow(
        &self,
        context: workflow::Context,
        name: String,
        input: Bytes,
    ) -> Result<Result<Bytes, String>> {
        let run = self.0.run_workflow(context, name, input);
        self.call("run-workflow", run).await
    }

    async fn activities(&self) -> Result<Vec<String>> {
        self.call("activities", self.0.activities()).await
    }

    async fn run_activity(&self, call: workflow::Call) -> Result<Result<Bytes, workflow::Failure>> {
        self.call("run-activity", self.0.run_activity(call)).await
    }

    async fn actor_types(&self) -> Result<Vec<actors::Type>> {
        self.call("actor-types", self.0.actor_types()).await
    }

    async fn actor_turn(
        &self,
        from: Option<&Caller>,
        inside: actors::Inside,
        trigger: actors::Trigger,
    ) -> Result<Bytes> {
        let turn = self.0.actor_turn(from, inside, trigger);
        self.call("actor-turn", turn).await
    }

    fn forget_actor(&self, actor: &actors::Actor) {
        // There is nobody to tell; the panic's own words are on stderr.
        let _ = catch_unwind(AssertUnwindSafe(|| self.0.forget_actor(actor)));
    }
}
