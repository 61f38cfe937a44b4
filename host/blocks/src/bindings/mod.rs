//! The whole of the bindings block's rules: who may ask an outside system what, and what reaches which app.

mod driver;
mod listening;
mod permits;
mod sealing;
mod settings;
mod sql;
mod webhooks;

pub use driver::{Delivery, Driver, Features, Outcome, Request, Sink, Webhook};
pub use sql::{Database, Rows, Sql, Text};
pub use webhooks::{WebhookRequest, WebhookRoute};

use crate::{
    Call, Component, Components, Error, Policy, Result, Routes, Tasks,
    component::{self, Close, Use},
    opening::{self, Opening, require},
    quota::Ledger,
};
use async_trait::async_trait;
use bytes::Bytes;
use listening::Ears;
use permits::Permits;
use sealing::Sealed;
use settings::Settings;
pub(crate) use settings::Written;
use std::sync::Arc;
use wythe_manifest::Metered;

const INVOKE: component::Operation = component::Operation::once(0, "invoke");

pub(crate) const OPERATIONS: &[component::Operation] = &[INVOKE];

/// Data on its way into an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub component: String,
    pub delivery: Delivery,
}

/// A driver with what its component says.
pub struct Configured {
    driver: Arc<dyn Driver>,
    settings: Settings,
    /// The operations that apps may ask of it, in alphabetic order.
    operations: Vec<String>,
    takes_secrets: bool,
    /// Its driver asks what is outside of the host.
    reaches_out: bool,
    permits: Option<Permits>,
    ears: Ears,
}

#[async_trait]
impl Close for Configured {
    async fn close(&self) -> Result<()> {
        self.driver.close().await
    }

    async fn health(&self) -> Result<()> {
        self.driver.health().await
    }

    fn describe(&self) -> Option<String> {
        self.driver.describe()
    }
}

pub(crate) type Prepared = opening::Prepared<dyn Driver, Written>;

/// The bindings block.
pub struct Bindings {
    pub(crate) components: Components<Configured>,
    routes: Arc<Routes>,
    tasks: Tasks,
    ledger: Arc<Ledger>,
}

impl Bindings {
    /// Calls of what is outside of the host are held of `ledger`.
    pub fn new(tasks: Tasks, routes: Arc<Routes>, ledger: Arc<Ledger>) -> Self {
        Bindings {
            components: Components::new("bindings"),
            routes,
            tasks,
            ledger,
        }
    }

    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let reaches_out = prepared.reaches_out();
        let (component, written, driver) = prepared.open().await?;
        let features = driver.features();
        require(&component, |name| features.has(name))?;
        let settings = written.check(&component, &features)?;
        let webhook = driver.webhook().map(|webhook| Webhook {
            max_body: webhook.max_body.min(settings.max_bytes),
            ..webhook
        });
        let mut policy = Policy::default();
        policy.timeout = driver.patience().unwrap_or(policy.timeout);
        policy.retries = driver.retries().unwrap_or(policy.retries);
        let configured = Arc::new(Configured {
            permits: driver.permits().map(Permits::new),
            driver,
            operations: match settings.output {
                true => features.operations,
                false => Vec::new(),
            },
            takes_secrets: features.secrets,
            reaches_out,
            settings,
            ears: Ears::default(),
        });
        let block = self.components.block();
        let made = Component::new(opening.tenant, block, OPERATIONS, &component, configured)
            .with_policy(policy)
            .under(opening.policies);
        let (tenant, name) = (opening.tenant, &component.name);
        match webhook {
            Some(webhook) => {
                let route = WebhookRoute::new(webhook, tenant.clone(), name.clone());
                self.routes.claim(route)?;
            }
            None => self.routes.close(tenant, name),
        }
        self.components.insert(opening.metrics, made);
        Ok(())
    }

    /// Does one operation of the outside system.
    pub async fn invoke(
        &self,
        caller: &Call,
        component: &str,
        operation: &str,
        data: Bytes,
        metadata: Vec<(String, String)>,
    ) -> Result<Outcome> {
        let found = self.find(caller, component, operation, data.len()).await?;
        self.ask(caller, &found, operation, &data, &metadata, &Sealed::No)
            .await
    }

    /// Lists the operations that this caller may ask of `invoke`, in alphabetic order.
    pub fn operations(&self, caller: &Call, component: &str) -> Result<Vec<String>> {
        let granted = |operation: &str| match caller.grants() {
            Some(grants) => grants.bindings(component, operation),
            None => true,
        };
        let found = self.components.find(caller, component);
        let mut operations = found.as_ref().map_or(Vec::new(), |slot| {
            slot.component().driver().operations.clone()
        });
        let any = operations.is_empty() && granted("");
        operations.retain(|operation| granted(operation));
        let is_granted = any || !operations.is_empty();
        let what = format_args!("bindings component `{component}`");
        caller.require_grant(|_| is_granted, what, "bindings", component)?;
        found.map(|_| operations)
    }

    /// Checks everything that needs no driver: the grant, the scope, the operation, the size.
    async fn find(
        &self,
        caller: &Call,
        component: &str,
        operation: &str,
        bytes: usize,
    ) -> Result<Use<Configured>> {
        caller.require_grant(
            |grants| grants.bindings(component, operation),
            format_args!("operation `{operation}` of bindings component `{component}`"),
            "bindings",
            format_args!("{component}/{operation}"),
        )?;
        let found = self.components.enter(caller, component).await?;
        let operations = &found.driver().operations;
        if operations.is_empty() {
            return Err(Error::unsupported(format!(
                "bindings component `{component}` has no operations: it is only an input"
            )));
        }
        if !operations.iter().any(|known| known == operation) {
            return Err(Error::unsupported(format!(
                "bindings component `{component}` has no operation `{operation}`; it has: {}",
                operations.join(", ")
            )));
        }
        let max_bytes = found.driver().settings.max_bytes;
        if bytes as u64 > max_bytes {
            return Err(Error::invalid(format!(
                "the data has {bytes} bytes; bindings component `{component}` takes at most {max_bytes}; see `maxDataBytes`"
            )));
        }
        Ok(found)
    }

    async fn ask(
        &self,
        caller: &Call,
        component: &Component<Configured>,
        operation: &str,
        data: &Bytes,
        metadata: &[(String, String)],
        sealed: &Sealed,
    ) -> Result<Outcome> {
        caller.charge(data.len())?;
        let _permit = match &component.driver().permits {
            Some(permits) => Some(permits.enter(caller, component.name()).await?),
            None => None,
        };
        let _held = match component.driver().reaches_out {
            true => Some(self.ledger.hold(Metered::OutgoingRequests, 1)?),
            false => None,
        };
        let max_bytes = component.driver().settings.max_bytes;
        let account = caller.account();
        let request = Request {
            operation,
            data,
            metadata,
            max_bytes,
            trace: caller.trace(),
            account: account.as_ref(),
        };
        let name = component.name().as_str();
        let outcome = component
            .call(caller, INVOKE, |d| async move {
                let asked = d.driver.invoke(request).await;
                asked.map_err(|error| sealed.cover(name, operation, error))
            })
            .await?;
        if outcome.data.len() as u64 > max_bytes {
            return Err(Error::invalid(format!(
                "the answer to `{operation}` has more than {max_bytes} bytes, which bindings component `{}` lets through; \
                 see `maxDataBytes`",
                component.name()
            )));
        }
        caller.charge(outcome.size())?;
        Ok(outcome)
    }
}
