//! The tools by which every block opens one of its components, and the checks that all blocks share.

use crate::{
    Component, Components, Drivers, Error, Metrics, Operation, Ready, Resiliency, Result, Site,
};
use std::{path::Path, str::FromStr, sync::Arc};
use wythe_manifest::{Component as Manifest, ComponentName, Name};

/// The host's part in opening a component.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub metrics: &'a Metrics,
    pub policies: &'a Resiliency,
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
    ) {
        let component = Component::new(
            self.tenant,
            components.block(),
            operations,
            manifest,
            driver,
        )
        .under(self.policies);
        components.insert(self.metrics, component);
    }
}

/// A component whose settings were found good, those of its block and those of its driver; it is not open yet.
pub(crate) struct Prepared<D: ?Sized, W> {
    manifest: Manifest,
    written: W,
    ready: Ready<D>,
    reaches_out: bool,
}

impl<D: ?Sized + 'static, W> Prepared<D, W> {
    /// `take` takes out what the block reads itself; `known` are the features that its drivers may have.
    pub async fn new(
        drivers: &Drivers<D>,
        component: &Manifest,
        site: Site,
        known: &[&str],
        take: impl FnOnce(&mut Manifest) -> Result<W>,
    ) -> Result<Self, Vec<Error>> {
        let mut manifest = component.clone();
        let written = take(&mut manifest).map_err(|error| {
            let named = |text| format!("component `{}`: {text}", component.name);
            error.map_message(named).at(&component.source)
        });
        let mut errors = check_requires(component, known);
        match (written, drivers.prepare(&manifest, site).await) {
            (Ok(written), Ok(ready)) if errors.is_empty() => Ok(Prepared {
                reaches_out: drivers.reaches(&manifest.driver),
                manifest,
                written,
                ready,
            }),
            (written, ready) => {
                errors.extend(written.err());
                errors.extend(ready.err().into_iter().flatten());
                Err(errors)
            }
        }
    }

    pub fn name(&self) -> &ComponentName {
        &self.manifest.name
    }

    /// Returns whether the driver reaches for what is outside of the host.
    pub fn reaches_out(&self) -> bool {
        self.reaches_out
    }

    /// Tells what the operator is to be warned of.
    pub fn warnings(&self) -> &[Error] {
        &self.ready.warnings
    }

    /// Opens the driver. The answer has the component with what is left of its settings.
    pub async fn open(self) -> Result<(Manifest, W, Arc<D>)> {
        let driver = self.ready.open().await?;
        Ok((self.manifest, self.written, driver))
    }
}

fn check_requires(component: &Manifest, known: &[&str]) -> Vec<Error> {
    let unknown = component.requires.iter();
    let unknown = unknown.filter(|name| !known.contains(&name.as_str()));
    let reported = |name: &String| {
        Error::invalid(format!(
            "component `{}`: requires `{name}`, which is no feature of {}; expected one of {}",
            component.name,
            component.block,
            known.join(", ")
        ))
        .at(&component.source)
    };
    unknown.map(reported).collect()
}

/// Checks what a manifest requires of a component, before anything uses it.
pub(crate) fn require(component: &Manifest, has: impl Fn(&str) -> Option<bool>) -> Result<()> {
    let mut required = component.requires.iter();
    match required.find(|name| has(name) != Some(true)) {
        None => Ok(()),
        Some(name) => Err(Error::unsupported(format!(
            "requires `{name}`, which driver `{}` does not have",
            component.kind()
        ))),
    }
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
    parsed.map(Some).map_err(|error| {
        Error::invalid(format!("{name}: {error}")).at(&component.position_of(name))
    })
}
