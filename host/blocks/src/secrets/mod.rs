//! The whole of the secrets block's rules: which secrets an app may use, and which of them it may see.

mod driver;
mod references;

pub use driver::{Driver, Features, Found, Value};
pub(crate) use references::{Looked, Stores};

use crate::{
    Call, Components, Error, Result,
    component::{self, Close},
    opening::{self, Opening, require},
};
use async_trait::async_trait;
use std::{collections::BTreeMap, sync::Arc};
use wythe_manifest::{ComponentName, Grants, PartPattern, SecretScope};

/// Bytes of a secret's name.
pub const MAX_NAME: usize = 1_024;

const GET: component::Operation = component::Operation::idempotent(0, "get");
const NAMES: component::Operation = component::Operation::idempotent(1, "names");

pub(crate) const OPERATIONS: &[component::Operation] = &[GET, NAMES];

/// A driver with what a `Configuration` says of it.
pub struct Configured {
    pub driver: Arc<dyn Driver>,
    pub scope: Option<SecretScope>,
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

pub(crate) type Prepared = opening::Prepared<dyn Driver, ()>;

/// The secrets block.
pub struct Secrets {
    pub(crate) components: Components<Configured>,
}

impl Default for Secrets {
    fn default() -> Self {
        Secrets {
            components: Components::new("secretstores"),
        }
    }
}

impl Secrets {
    pub(crate) async fn add(
        &self,
        opening: &Opening<'_>,
        prepared: Prepared,
        scope: Option<SecretScope>,
    ) -> Result<()> {
        let (component, (), driver) = prepared.open().await?;
        let features = driver.features();
        require(&component, |name| features.has(name))?;
        let configured = Arc::new(Configured { driver, scope });
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// Reads a secret; absent where the store has no such secret.
    pub async fn get(
        &self,
        caller: &Call,
        component: &str,
        name: &str,
        metadata: &[(String, String)],
    ) -> Result<Option<Secret>> {
        check_name(name)?;
        caller.require_grant(
            |grants| grants.secrets(component, name),
            format_args!("the secret `{name}` of `{component}`"),
            "secrets",
            format_args!("{component}/{name}"),
        )?;
        let store = self.components.enter(caller, component).await?;
        allow(store.driver(), store.name(), name)?;
        let found = store
            .call(caller, GET, |d| d.driver.get(name, metadata))
            .await?;
        Ok(found.map(|found| Secret {
            component: store.name().clone(),
            name: name.to_owned(),
            found,
        }))
    }

    /// The names of the secrets that the caller may get, in order.
    pub async fn names(&self, caller: &Call, component: &str) -> Result<Vec<String>> {
        caller.require_grant(
            |grants| concerns(grants, component),
            format_args!("any secret of `{component}`"),
            "secrets",
            format_args!("{component}/NAME"),
        )?;
        let store = self.components.enter(caller, component).await?;
        if !store.driver().driver.features().names {
            return Err(Error::unsupported(format!(
                "the secret store `{component}` does not tell the names of its secrets; its features say so"
            )));
        }
        let names = store.call(caller, NAMES, |d| d.driver.names()).await?;
        let granted = |name: &str| {
            let grants = caller.grants();
            grants.is_none_or(|grants| grants.secrets(component, name))
        };
        let scope = store.driver().scope.as_ref();
        let allowed = |name: &str| scope.is_none_or(|scope| scope.allows(name));
        let may = |name: &String| granted(name) && allowed(name);
        Ok(names.into_iter().filter(may).collect())
    }
}

/// Returns whether any grant is about the store: otherwise the app has no business to know that there is one.
fn concerns(grants: &Grants, component: &str) -> bool {
    grants.secrets.iter().any(|pattern| match pattern {
        PartPattern::Any => true,
        PartPattern::Component(only) | PartPattern::Part(only, _) => only.as_str() == component,
    })
}

fn check_name(name: &str) -> Result<()> {
    let size = name.len();
    if (1..=MAX_NAME).contains(&size) && !name.contains(char::is_control) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a secret's name of {size} bytes; expected 1 to {MAX_NAME} without control characters"
    )))
}

fn allow(store: &Configured, component: &ComponentName, name: &str) -> Result<()> {
    match &store.scope {
        Some(scope) if !scope.allows(name) => Err(Error::denied(format!(
            "the secret `{name}` of `{component}` is denied; see `secrets.scopes` of the Configuration at {}",
            scope.source.short()
        ))),
        _ => Ok(()),
    }
}

/// A secret that was found, for use or for sight.
#[derive(Debug)]
pub struct Secret {
    component: ComponentName,
    name: String,
    found: Found,
}

impl Secret {
    /// The store's name for this state of the secret.
    pub fn version(&self) -> Option<&str> {
        self.found.version.as_deref()
    }

    /// The named values, for apps that may see them: a grant of its own.
    pub fn reveal(&self, caller: &Call) -> Result<&BTreeMap<String, Value>> {
        let (component, name) = (self.component.as_str(), &self.name);
        caller.require_grant(
            |grants| grants.reveal(component, name),
            format_args!("to see the secret `{name}` of `{component}`"),
            "reveal",
            format_args!("{component}/{name}"),
        )?;
        Ok(&self.found.values)
    }

    /// The one value, for a use in which the app does not see it.
    pub fn sealed(&self) -> Result<Value> {
        let mut values = self.found.values.values();
        match (values.next(), values.next()) {
            (Some(only), None) => Ok(only.clone()),
            (Some(_), Some(_)) => Err(Error::invalid(format!(
                "the secret `{}` has several values; expected one of a single value",
                self.name
            ))),
            (None, _) => Err(Error::invalid(format!(
                "the secret `{}` has no value",
                self.name
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
