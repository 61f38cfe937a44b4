//! What every block needs to open one of its components, and the checks that all blocks share.

use crate::{Component, Components, Error, Metrics, Operation, Registry, Result};
use std::{path::Path, str::FromStr, sync::Arc};
use wythe_manifest::{Component as Manifest, Name};

/// The host's part in opening a component.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub registry: &'a Registry,
    pub metrics: &'a Metrics,
    pub tenant: &'a Name,
    /// The directory of all tenants' data.
    pub data: &'a Path,
}

impl Opening<'_> {
    /// Puts an opened driver under its name, in place of one that was there.
    pub fn insert<D: ?Sized>(
        &self,
        components: &Components<D>,
        operations: &'static [Operation],
        manifest: &Manifest,
        driver: Arc<D>,
    ) -> Arc<Component<D>> {
        let component = Component::new(components.block(), operations, manifest, driver);
        components.insert(self.metrics, self.tenant.clone(), component)
    }
}

/// What a manifest requires of a component is checked before anything uses it.
pub(crate) fn require(
    component: &Manifest,
    known: &[&str],
    has: impl Fn(&str) -> Option<bool>,
) -> Result<()> {
    for name in &component.requires {
        match has(name) {
            Some(true) => {}
            Some(false) => {
                return Err(Error::unsupported(format!(
                    "requires `{name}`, which driver `{}.{}` does not have",
                    component.block, component.driver
                )));
            }
            None => {
                return Err(Error::invalid(format!(
                    "requires `{name}`, which is no feature of {}; expected one of {}",
                    component.block,
                    known.join(", ")
                )));
            }
        }
    }
    Ok(())
}

/// Takes a setting out that the block reads itself, so that the driver does not see it.
pub(crate) fn take<T: FromStr<Err: std::fmt::Display>>(
    component: &mut Manifest,
    name: &str,
) -> Result<Option<T>> {
    let Some(value) = component.metadata.take(name) else {
        return Ok(None);
    };
    let parsed = value.reveal().parse();
    parsed
        .map(Some)
        .map_err(|error| Error::invalid(format!("{name}: {error}")))
}
