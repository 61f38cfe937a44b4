//! The components of a project that changes.

use super::{Changes, Live, all};
use crate::{
    boot::{self, Plan},
    report::Problem,
};
use std::collections::{BTreeMap, BTreeSet};
use wythe_manifest::{Component, ComponentName, Same, SecretScope};

const SECRET_STORES: &str = "secretstores";

/// The components of a plan that are its tenant's.
pub fn of(plan: &Plan) -> BTreeMap<ComponentName, Component> {
    let all = plan.resources.components.iter();
    let own = all.filter(|one| plan.manifest.tenant.has(one.namespace.as_ref()));
    own.map(|one| (one.name.clone(), one.clone())).collect()
}

impl Live {
    /// Components that are opened again though they are written as before: what they were opened with has changed.
    pub(super) fn forced(&self, plan: &Plan) -> BTreeSet<ComponentName> {
        let (settings, wanted) = (self.tenant.settings(), of(plan));
        let stay_open = match (&settings.terms, &plan.terms) {
            (Some(old), Some(new)) => old.leaves_open(new),
            _ => true,
        };
        if !stay_open {
            return wanted.into_keys().collect();
        }
        let scopes = boot::settings(plan, &self.ground.data).scopes;
        let is_changed = |name: &ComponentName, one: &Component| {
            let is_same = self
                .components
                .get(name)
                .is_some_and(|old| old.is_same(one));
            !is_same || !is_same_scope(name, &settings.scopes, &scopes)
        };
        let stores = wanted.iter().filter(|(_, one)| one.block == SECRET_STORES);
        let stores: BTreeSet<_> = stores
            .filter(|(name, one)| is_changed(name, one))
            .map(|(name, _)| name.clone())
            .collect();
        let reads = |one: &Component| {
            let references = one.metadata.references();
            let mut named = references.iter().map(|reference| reference.store.as_str());
            named.any(|named| stores.iter().any(|store| store.as_str() == named))
        };
        let readers = wanted.iter().filter(|(_, one)| reads(one));
        let readers: Vec<_> = readers.map(|(name, _)| name.clone()).collect();
        stores.into_iter().chain(readers).collect()
    }

    /// Opens what is new or written otherwise, secret stores first.
    pub(super) async fn open_components(
        &mut self,
        plan: &Plan,
        forced: &BTreeSet<ComponentName>,
        changes: &mut Changes,
    ) -> Result<(), Vec<Problem>> {
        let mut wanted: Vec<_> = of(plan).into_values().collect();
        wanted.sort_by_key(|one| one.block != SECRET_STORES);
        for component in wanted {
            let name = &component.name;
            let old = self.components.get(name);
            if old.is_some_and(|old| old.is_same(&component)) && !forced.contains(name) {
                continue;
            }
            let verb = old.map_or("added", |_| "changed");
            if old.is_some_and(|old| old.block != component.block) {
                self.remove_component(&component).await?;
            }
            match all(self.tenant.replace(&self.registry, &component).await) {
                Ok(()) => changes.push(format!("component `{name}` {verb}")),
                // It may be missing, as it says; the old one is still there.
                Err(problems) if component.ignore_errors => {
                    changes.extend(
                        problems
                            .iter()
                            .map(|problem| format!("left out: {problem}")),
                    );
                }
                Err(problems) => return Err(problems),
            }
            self.components.insert(name.clone(), component);
        }
        Ok(())
    }

    pub(super) async fn remove_components(
        &mut self,
        plan: &Plan,
        changes: &mut Changes,
    ) -> Result<(), Vec<Problem>> {
        let wanted = of(plan);
        let gone = self.components.values();
        let gone: Vec<_> = gone
            .filter(|one| !wanted.contains_key(&one.name))
            .cloned()
            .collect();
        for component in gone {
            self.remove_component(&component).await?;
            changes.push(format!("component `{}` removed", component.name));
        }
        Ok(())
    }

    async fn remove_component(&mut self, component: &Component) -> Result<(), Vec<Problem>> {
        let name = &component.name;
        match self.tenant.remove_component(name).await {
            // One that was left out was never there.
            Err(error) if error.kind() != wythe_blocks::Kind::NotFound => {
                Err(vec![Problem::from(error).at(&component.source)])
            }
            _ => {
                self.components.remove(name);
                Ok(())
            }
        }
    }
}

fn is_same_scope(store: &ComponentName, old: &[SecretScope], new: &[SecretScope]) -> bool {
    let of = |scopes: &[SecretScope]| scopes.iter().find(|scope| scope.store == *store).cloned();
    match (of(old), of(new)) {
        (Some(old), Some(new)) => old.is_same(&new),
        (None, None) => true,
        _ => false,
    }
}
