//! The components of a tenant as an operator sees them.

use super::Tenant;
use crate::{Error, last::Failed};
use wythe_manifest::{Component as Manifest, ComponentName, Name};

/// One component.
pub struct Report {
    pub name: ComponentName,
    /// The block and the driver, such as `state.memory`.
    pub kind: String,
    pub scopes: Vec<Name>,
    /// The reason why it cannot do its work now.
    pub unwell: Option<Error>,
    pub last_error: Option<Failed>,
}

impl Tenant {
    /// Every component, in the order of their names.
    pub async fn report(&self) -> Vec<Report> {
        let mut unwell = self.unwell().await;
        let manifests: Vec<Manifest> = self.manifests().values().cloned().collect();
        let report = |one: Manifest| {
            let found = unwell.iter().position(|(name, _)| *name == one.name);
            Report {
                kind: format!("{}.{}", one.block, one.driver),
                unwell: found.map(|index| unwell.swap_remove(index).1),
                last_error: self.last_error(&one),
                scopes: one.scopes,
                name: one.name,
            }
        };
        manifests.into_iter().map(report).collect()
    }

    fn last_error(&self, component: &Manifest) -> Option<Failed> {
        let name = &component.name;
        match component.block.as_str() {
            "bindings" => self.bindings.components.last_error(name),
            "configuration" => self.configuration.components.last_error(name),
            "crypto" => self.crypto.components.last_error(name),
            "jobs" => self.jobs.components.last_error(name),
            "lock" => self.lock.components.last_error(name),
            "pubsub" => self.pubsub.components.last_error(name),
            crate::prepared::SECRET_STORES => self.secrets.components.last_error(name),
            _ => self.state.components.last_error(name),
        }
    }
}
