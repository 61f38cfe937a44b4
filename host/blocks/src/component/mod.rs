//! A named driver under policy. `Component::call` is the choke point: the only place that calls a driver.

mod components;
mod slot;
#[cfg(test)]
mod tests;

pub(crate) use components::Changing;
pub use components::Components;
pub use slot::{Slot, Use};

use crate::{
    Call, Error, Kind, Policy, Result, Trace,
    last::Last,
    metrics::{self, CallMetrics, Outcome},
    panics,
    resiliency::{Guard, Guarded, Key, Nature, Resiliency, Target},
    scrub::Secrets,
    spans::{self, About, Recording, Role, Span, Work},
    text::{MAX_CAUSE, cut},
};
use async_trait::async_trait;
use std::{future::Future, sync::Arc, time::Instant};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use wythe_manifest::{Aim, ComponentName, Name};

/// One function of a driver: its name in spans and metrics, and whether it may be done twice.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    index: u8,
    name: &'static str,
    idempotent: bool,
    /// The host asks for it on its own behalf, and has a rule for its failures; policies are for what apps ask.
    is_of_host: bool,
}

impl Operation {
    /// May be done twice, so it is tried again after a timeout. `index` is its place in the block's list.
    pub const fn idempotent(index: u8, name: &'static str) -> Self {
        Operation {
            index,
            name,
            idempotent: true,
            is_of_host: false,
        }
    }

    pub const fn once(index: u8, name: &'static str) -> Self {
        Operation {
            index,
            name,
            idempotent: false,
            is_of_host: false,
        }
    }

    /// The same operation, which the host asks for on its own behalf: no policy of the tenant is for it.
    pub const fn of_host(mut self) -> Self {
        self.is_of_host = true;
        self
    }

    pub fn name(self) -> &'static str {
        self.name
    }

    pub(crate) fn index(self) -> usize {
        self.index.into()
    }

    pub(crate) fn is_idempotent(self) -> bool {
        self.idempotent
    }

    pub(crate) fn nature(self) -> Nature {
        match self.idempotent {
            true => Nature::Idempotent,
            false => Nature::Once,
        }
    }

    /// The kind of a call that ended without an answer: of one that is done once nobody can say whether it happened.
    fn lost(self) -> Kind {
        match self.idempotent {
            true => Kind::Internal,
            false => Kind::UnknownOutcome,
        }
    }
}

/// One configured instance of a driver.
pub struct Component<D: ?Sized> {
    tenant: Name,
    name: ComponentName,
    block: &'static str,
    /// The name of its technology.
    technology: Arc<str>,
    scopes: Vec<Name>,
    policy: Policy,
    /// The policies of calls of it, and of its deliveries.
    outbound: Arc<Target>,
    inbound: Arc<Target>,
    metrics: Arc<CallMetrics>,
    secrets: Secrets,
    driver: Arc<D>,
    last: Last,
    /// Calls under way, whose end the component's close waits for.
    uses: TaskTracker,
}

impl<D: ?Sized> Component<D> {
    pub fn new(
        tenant: &Name,
        block: &'static str,
        operations: &'static [Operation],
        manifest: &wythe_manifest::Component,
        driver: Arc<D>,
    ) -> Self {
        let metrics = metrics::of_component(tenant, block, &manifest.name, operations);
        let target = |aim| {
            let name = manifest.name.to_string();
            Target::new(tenant.clone(), Key { aim, name, block })
        };
        Component {
            outbound: target(Aim::Outbound),
            inbound: target(Aim::Inbound),
            tenant: tenant.clone(),
            name: manifest.name.clone(),
            block,
            technology: manifest.driver.as_str().into(),
            scopes: manifest.scopes.clone(),
            policy: Policy::default(),
            metrics: Arc::new(metrics),
            secrets: Secrets::of(manifest),
            driver,
            last: Last::default(),
            uses: TaskTracker::new(),
        }
    }

    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same component under the policies of its tenant.
    #[must_use]
    pub(crate) fn under(mut self, policies: &Resiliency) -> Self {
        let target = |aim| policies.target(aim, self.name.as_str(), self.block);
        (self.outbound, self.inbound) = (target(Aim::Outbound), target(Aim::Inbound));
        self
    }

    /// The policies of its deliveries.
    pub(crate) fn inbound(&self) -> &Arc<Target> {
        &self.inbound
    }

    pub fn name(&self) -> &ComponentName {
        &self.name
    }

    /// The driver itself, to ask for what needs no policy: its features, its end.
    pub fn driver(&self) -> &D {
        &self.driver
    }

    /// True where `scopes` is empty or names the app, as in Dapr.
    pub fn is_in_scope(&self, app: &Name) -> bool {
        self.scopes.is_empty() || self.scopes.contains(app)
    }

    /// Calls the driver under span, metric, timeout and retry, never past the caller's deadline: those of the tenant's
    /// policies for the component, where it has some, else those that are built in.
    pub fn call<'a, T, F>(
        &'a self,
        caller: &Call,
        operation: Operation,
        run: impl Fn(&'a D) -> F,
    ) -> impl Future<Output = Result<T>>
    where
        F: Future<Output = Result<T>>,
    {
        self.call_about(caller, operation, None, run)
    }

    /// Does what [`Component::call`] does; the span names the topic that the call is about.
    pub(crate) async fn call_about<'a, T, F>(
        &'a self,
        caller: &Call,
        operation: Operation,
        topic: Option<&str>,
        run: impl Fn(&'a D) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let trace = caller.trace().child();
        let span = tracing::debug_span!(
            "call",
            block = self.block,
            component = %self.name,
            operation = operation.name(),
            app = %caller.app_id(),
            %trace,
            parent = trace.parent,
        );
        let start = Instant::now();
        let recording = self.record(caller, trace, operation, topic);
        let attempt = || {
            let what = || format!("`{}` of `{}`", operation.name(), self.name);
            panics::caught(operation.lost(), what, async { run(&self.driver).await })
        };
        let deadline = caller.deadline();
        let result = match self.guard(caller, operation) {
            None => {
                let built_in = self.policy.run(operation, deadline, attempt);
                built_in.instrument(span).await
            }
            // Boxed, so that the future of a call without a policy stays small.
            Some(guard) => {
                let guarded = self.guarded(&guard, operation, deadline, attempt);
                Box::pin(guarded.instrument(span)).await
            }
        };
        self.end(operation, &result, start, recording);
        result.inspect_err(|error| self.log(operation, caller, error))
    }

    /// Lets something through a driver that stands in its way, under span and metric alone: what comes behind the driver
    /// has its own time, and nothing is tried again.
    pub(crate) async fn pass<'a, T, F>(
        &'a self,
        caller: &Call,
        operation: Operation,
        run: impl FnOnce(&'a D) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let trace = caller.trace().child();
        let start = Instant::now();
        let recording = self.record(caller, trace, operation, None);
        let what = || format!("`{}` of `{}`", operation.name(), self.name);
        let passed = panics::caught(operation.lost(), what, async { run(&self.driver).await });
        let result = passed.await;
        self.end(operation, &result, start, recording);
        result
    }

    /// Begins the span of a call, if it is recorded.
    fn record(
        &self,
        caller: &Call,
        trace: Trace,
        operation: Operation,
        topic: Option<&str>,
    ) -> Recording {
        let is_wanted = || trace.sampled && !caller.is_unrecorded();
        spans::begin(is_wanted, || {
            let role = Role::of_block(self.block, operation.name());
            let work = Work::Component {
                block: self.block,
                name: self.name.clone(),
                driver: self.technology.clone(),
                operation: operation.name(),
                about: topic.map_or(About::Nothing, |topic| About::topic(None, topic)),
            };
            Span::new(trace, role, (&self.tenant, caller.app_id()), work)
        })
    }

    /// Ends the span of a call, counts it, and notes its error.
    fn end<T>(
        &self,
        operation: Operation,
        result: &Result<T>,
        start: Instant,
        recording: Recording,
    ) {
        let error = result.as_ref().err();
        let recorded = recording.end(error.map(Error::kind), None);
        let outcome = Outcome::of(result);
        self.metrics
            .record(operation, outcome, start.elapsed(), recorded);
        if let Some(error) = error {
            self.last.note(error);
        }
    }

    /// The policies of a call; none is the rule.
    fn guard(&self, caller: &Call, operation: Operation) -> Option<Arc<Guard>> {
        match operation.is_of_host {
            true => None,
            false => self.outbound.guard(caller.app_id()),
        }
    }

    async fn guarded<T, F>(
        &self,
        guard: &Guard,
        operation: Operation,
        deadline: Instant,
        attempt: impl Fn() -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let call = Guarded {
            built_in: Some(&self.policy),
            ..Guarded::new(operation.name(), operation.nature(), deadline)
        };
        let outbound = &self.outbound;
        outbound.run(guard, call, |_| attempt(), |_| None).await
    }

    /// A cause is for the log alone: the caller reads only the message.
    fn log(&self, operation: Operation, caller: &Call, error: &Error) {
        if std::error::Error::source(error).is_some() {
            tracing::warn!(
                component = %self.name,
                operation = operation.name(),
                app = %caller.app_id(),
                trace = %caller.trace(),
                kind = %error.kind(),
                "{}",
                cut(&self.secrets.hide(error.chain()), MAX_CAUSE)
            );
        }
    }
}

/// The part of a driver that every block has: its health while the host runs, and its shutdown.
#[async_trait]
pub(crate) trait Close: Send + Sync {
    async fn close(&self) -> Result<()>;

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    fn describe(&self) -> Option<String> {
        None
    }
}
