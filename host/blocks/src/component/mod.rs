//! A named driver under policy. `Component::call` is the choke point: the only place that calls a driver.

mod components;
mod slot;
#[cfg(test)]
mod tests;

pub(crate) use components::Changing;
pub use components::Components;
pub use slot::{Slot, Use};

use crate::{
    Call, Error, Kind, Policy, Result,
    last::Last,
    metrics::{self, CallMetrics, Outcome},
    panics,
    scrub::Secrets,
    text::{MAX_CAUSE, cut},
};
use async_trait::async_trait;
use std::{future::Future, sync::Arc, time::Instant};
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use wythe_manifest::{ComponentName, Name};

/// One function of a driver: its name in spans and metrics, and whether it may be done twice.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    index: u8,
    name: &'static str,
    idempotent: bool,
}

impl Operation {
    /// May be done twice, so it is tried again after a timeout. `index` is its place in the block's list.
    pub const fn idempotent(index: u8, name: &'static str) -> Self {
        Operation {
            index,
            name,
            idempotent: true,
        }
    }

    pub const fn once(index: u8, name: &'static str) -> Self {
        Operation {
            index,
            name,
            idempotent: false,
        }
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
    name: ComponentName,
    block: &'static str,
    scopes: Vec<Name>,
    policy: Policy,
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
        Component {
            name: manifest.name.clone(),
            block,
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

    /// Calls the driver under span, metric, timeout and retry, never past the caller's deadline.
    pub async fn call<'a, T, F>(
        &'a self,
        caller: &Call,
        operation: Operation,
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
        let result = self
            .policy
            .run(operation, caller.deadline(), || {
                let what = || format!("`{}` of `{}`", operation.name(), self.name);
                panics::caught(operation.lost(), what, async { run(&self.driver).await })
            })
            .instrument(span)
            .await;
        self.metrics
            .record(operation, Outcome::of(&result), start.elapsed());
        result.inspect_err(|error| {
            self.last.note(error);
            self.log(operation, caller, error);
        })
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
}
