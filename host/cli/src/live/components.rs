//! The components of a project that changes.

use super::{Changes, Live, all};
use crate::{
    boot::{self, Plan},
    report::Problem,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};
use wythe_manifest::{Component, ComponentName, Same, SecretScope, Terms};

const SECRET_STORES: &str = "secretstores";
/// The driver of components that are plugins.
const PLUGIN: &str = "wasm";

/// The components of a plan that are its tenant's.
pub fn of(plan: &Plan) -> BTreeMap<ComponentName, Component> {
    let all = plan.resources.components.iter();
    let own = all.filter(|one| plan.manifest.tenant.has(one.namespace.as_ref()));
    own.map(|one| (one.name.clone(), one.clone())).collect()
}

/// The component files of the plugins of a plan. One whose path is in a secret store is not among them.
pub fn plugins(plan: &Plan) -> impl Iterator<Item = PathBuf> {
    let all = plan.resources.components.iter();
    all.filter(|one| one.driver == PLUGIN).filter_map(|one| {
        let path = one.metadata.get("path")?.reveal();
        Some(one.source.file.parent()?.join(path))
    })
}

/// Components that are opened again though they are written as before: what they were opened with has changed.
pub struct Forced {
    names: BTreeSet<ComponentName>,
    /// Those of them that may not go on as they are, even where they cannot be opened again.
    overruled: BTreeSet<ComponentName>,
}

impl Live {
    /// Finds what of a plan is opened again, before its terms are in force.
    pub(super) fn forced(&self, plan: &Plan) -> Forced {
        let (settings, wanted) = (self.tenant.settings(), of(plan));
        let overruled = match (&settings.terms, &plan.terms) {
            (Some(old), Some(new)) => self.overruled(old, new),
            _ => BTreeSet::new(),
        };
        let scopes = boot::settings(plan, &self.ground.data).scopes;
        let is_changed = |name: &ComponentName, one: &Component| {
            let is_same = self
                .components
                .get(name)
                .is_some_and(|old| old.is_same(one));
            let is_scoped = is_same_scope(name, &settings.scopes, &scopes);
            !is_same || overruled.contains(name) || !is_scoped
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
        let mut names: BTreeSet<_> = readers.map(|(name, _)| name.clone()).collect();
        names.extend(stores);
        names.extend(overruled.iter().cloned());
        Forced { names, overruled }
    }

    /// Components that are open by terms which others take back: what they may name is less, or other keys sign plugins.
    fn overruled(&self, old: &Terms, new: &Terms) -> BTreeSet<ComponentName> {
        let (stays_open, has_same_keys) = (old.leaves_open(new), old.has_same_keys(new));
        let may_go_on = |one: &Component| stays_open && (has_same_keys || one.driver != PLUGIN);
        let open = self.components.iter();
        let overruled = open.filter(|(_, one)| !may_go_on(one));
        overruled.map(|(name, _)| name.clone()).collect()
    }

    /// Opens what is new or written otherwise, secret stores first.
    pub(super) async fn open_components(
        &mut self,
        plan: &Plan,
        forced: &Forced,
        changes: &mut Changes,
    ) -> Result<(), Vec<Problem>> {
        let mut wanted: Vec<_> = of(plan).into_values().collect();
        wanted.sort_by_key(|one| one.block != SECRET_STORES);
        for component in wanted {
            let name = &component.name;
            let old = self.components.get(name);
            if old.is_some_and(|old| old.is_same(&component)) && !forced.names.contains(name) {
                continue;
            }
            let verb = old.map_or("added", |_| "changed");
            if old.is_some_and(|old| old.block != component.block) {
                self.remove_component(&component).await?;
            }
            match all(self.tenant.replace(&self.registry, &component).await) {
                Ok(()) => changes.push(format!("component `{name}` {verb}")),
                // It may be missing, as it says; the old one is still there, unless it may not go on.
                Err(problems) if component.ignore_errors => {
                    changes.extend(
                        problems
                            .iter()
                            .map(|problem| format!("left out: {problem}")),
                    );
                    let is_overruled = forced.overruled.contains(name);
                    if is_overruled {
                        self.remove_component(&component).await?;
                    }
                    // It is known by what it was opened with, and what is gone is tried again.
                    if is_overruled || self.components.contains_key(name) {
                        continue;
                    }
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
