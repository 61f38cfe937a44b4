//! The components of a tenant as an operator sees them.

use super::Tenant;
use crate::{Error, last::Failed};
use wythe_manifest::{Component as Manifest, ComponentName};

/// One component.
pub struct Report {
    pub name: ComponentName,
    /// The block and the driver, such as `state.memory`.
    pub kind: String,
    /// The reason why it cannot do its work now.
    pub unwell: Option<Error>,
    pub last_error: Option<Failed>,
    /// The server that it speaks to, if it speaks to one.
    pub description: Option<String>,
}

impl Tenant {
    /// Every component, in the order of their names.
    pub async fn report(&self) -> Vec<Report> {
        let mut unwell = self.unwell().await;
        let manifests: Vec<Manifest> = self.manifests().values().cloned().collect();
        let report = |one: Manifest| {
            let components = self.components(&one.block);
            let found = unwell.iter().position(|(name, _)| *name == one.name);
            Report {
                kind: one.kind(),
                unwell: found.map(|index| unwell.swap_remove(index).1),
                last_error: components.last_error(&one.name),
                description: components.description(&one.name),
                name: one.name,
            }
        };
        manifests.into_iter().map(report).collect()
    }

    /// Components, however they are.
    pub fn component_count(&self) -> usize {
        self.manifests().len()
    }
}
