//! The opening of a tenant's components: each problem is found before any of them is open, secret stores first.

use super::{Tenant, admit::all};
use crate::{
    Error, Registry, Result, between,
    prepared::{Prepared, SECRET_STORES, named},
    secrets::{Looked, Stores},
};
use futures::{StreamExt, future, stream};
use wythe_manifest::Component as Manifest;

/// Components that are opened at once.
const OPENED_AT_ONCE: usize = 8;

/// A tenant's components, found good and, but for its secret stores, not open yet.
#[derive(Default)]
pub struct Checked {
    ready: Vec<(Manifest, Prepared)>,
    /// Problems of components that may be missing.
    pub left_out: Vec<Error>,
    /// Warnings of what is good, but of which the operator should know.
    pub warnings: Vec<Error>,
}

impl Tenant {
    /// Checks and opens a tenant's components.
    pub async fn open(
        &self,
        registry: &Registry,
        components: &[Manifest],
    ) -> Result<(), Vec<Error>> {
        let (checked, problems) = self.check(registry, components).await;
        match problems.is_empty() {
            true => self.open_checked(checked).await,
            false => Err(problems),
        }
    }

    /// Finds every problem of a tenant's components that can be found without opening them. Secret stores are opened,
    /// for settings are in them.
    pub async fn check(
        &self,
        registry: &Registry,
        components: &[Manifest],
    ) -> (Checked, Vec<Error>) {
        let settings = &*self.settings();
        let (others, mut checked, mut problems) = self.resolve(registry, components).await;
        problems.extend(between::problems(&others));
        for component in others {
            match Prepared::new(registry, (settings, &self.ledger), &component).await {
                Ok(prepared) => {
                    checked.warnings.extend(prepared.warnings());
                    checked.ready.push((component, prepared));
                }
                Err(errors) => checked.report(&component, errors, &mut problems),
            }
        }
        (checked, problems)
    }

    /// Opens what was found good, 8 components at a time, so that a slow one does not keep the others waiting. A component whose problem is not to be ignored is in the answer, by name.
    pub async fn open_checked(&self, checked: Checked) -> Result<(), Vec<Error>> {
        let opened = checked
            .ready
            .into_iter()
            .map(|(component, prepared)| async move {
                let opened = self.open_in_time(&component, prepared).await;
                reported(&component, opened)
            });
        let opened = stream::iter(opened).buffered(OPENED_AT_ONCE);
        let problems: Vec<_> = opened.filter_map(future::ready).collect().await;
        all([problems])
    }

    /// Opens a tenant's secret stores and nothing else. The answer has the other components with the secrets that
    /// they refer to, and every problem so far.
    pub(crate) async fn resolve(
        &self,
        registry: &Registry,
        components: &[Manifest],
    ) -> (Vec<Manifest>, Checked, Vec<Error>) {
        let settings = &*self.settings();
        let own = |component: &&Manifest| settings.tenant.has(component.namespace.as_ref());
        let own: Vec<&Manifest> = components.iter().filter(own).collect();
        let mut stores = Stores::new(&settings.tenant, &own);
        for component in &own {
            self.know(component);
        }
        let (order, mut problems) = stores.in_order();
        let mut checked = Checked::default();
        for store in order {
            let asked = (&stores, registry, store);
            let Some(resolved) = self.look_up(asked, &mut checked, &mut problems).await else {
                stores.fail(store);
                continue;
            };
            let opened = match Prepared::new(registry, (settings, &self.ledger), &resolved).await {
                Ok(prepared) => {
                    checked.warnings.extend(prepared.warnings());
                    self.open_in_time(&resolved, prepared).await
                }
                Err(errors) => {
                    stores.fail(store);
                    checked.report(&resolved, errors, &mut problems);
                    continue;
                }
            };
            if let Err(error) = opened {
                stores.fail(store);
                checked.report(&resolved, vec![named(&resolved, error)], &mut problems);
            }
        }
        let mut others = Vec::new();
        for component in own.iter().filter(|c| c.block != SECRET_STORES) {
            let asked = (&stores, registry, *component);
            others.extend(self.look_up(asked, &mut checked, &mut problems).await);
        }
        (others, checked, problems)
    }

    /// The component with its secrets; none, if it lacks one. Then what else is wrong with it is told all the same.
    pub(super) async fn look_up(
        &self,
        (stores, registry, component): (&Stores<'_>, &Registry, &Manifest),
        checked: &mut Checked,
        problems: &mut Vec<Error>,
    ) -> Option<Manifest> {
        let mut errors = match stores.look_up(&self.secrets, component).await {
            Looked::Up(component) if component.metadata.is_whole() => return Some(*component),
            // A variable of the environment that is not set was told when the file was read.
            Looked::Up(_) | Looked::Reported => Vec::new(),
            Looked::Wrong(wrong) => wrong.iter().map(Error::from).collect(),
        };
        errors.extend(registry.mistakes(component));
        checked.report(component, errors, problems);
        None
    }

    pub(super) async fn open_in_time(
        &self,
        component: &Manifest,
        prepared: Prepared,
    ) -> Result<()> {
        let opened = prepared.open(self, component);
        let opened = tokio::time::timeout(component.init_timeout, opened).await;
        opened.unwrap_or_else(|_| {
            Err(Error::timeout(format!(
                "did not open within {:?}",
                component.init_timeout
            )))
        })
    }
}

impl Checked {
    /// Problems of one component, which stop the start unless it may be missing.
    fn report(&mut self, component: &Manifest, errors: Vec<Error>, problems: &mut Vec<Error>) {
        match component.ignore_errors {
            true => self.left_out.extend(errors),
            false => problems.extend(errors),
        }
    }
}

/// A problem of opening for the answer, unless it is to be ignored.
fn reported(component: &Manifest, opened: Result<()>) -> Option<Error> {
    let error = named(component, opened.err()?);
    if component.ignore_errors {
        tracing::warn!(component = %component.name, "left out: {}", error.message());
        return None;
    }
    Some(error)
}
