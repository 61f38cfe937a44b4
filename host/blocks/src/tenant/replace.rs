//! Components that change while apps use them: one takes the place of another, comes, or goes.

use super::{Checked, Tenant};
use crate::{
    App, Error, Kind, Registry, Result, between,
    component::Changing,
    panics,
    prepared::{Prepared, SECRET_STORES, named},
    secrets::Stores,
};
use parking_lot::MutexGuard;
use std::{collections::BTreeMap, sync::Arc};
use wythe_manifest::{Component as Manifest, ComponentName, Name};

impl Tenant {
    /// Puts a component in the place of the one with its name, or adds it. Its settings are checked first. Calls under
    /// way end with the old one, within 30 s; those that come wait until the new one is open. Where it does not open, or
    /// an app cannot use it as it used the old one, the old one is opened again, and the answer says why.
    pub async fn replace(
        self: &Arc<Self>,
        registry: &Arc<Registry>,
        component: &Manifest,
    ) -> Result<(), Vec<Error>> {
        let (tenant, registry) = (self.clone(), registry.clone());
        let component = component.clone();
        let replaced = self.whole(async move { tenant.replace_now(&registry, &component).await });
        replaced.await.map_err(|error| vec![error])?
    }

    async fn replace_now(
        &self,
        registry: &Registry,
        component: &Manifest,
    ) -> Result<(), Vec<Error>> {
        let _turn = self.turn().await.map_err(|error| vec![error])?;
        if !self.name().has(component.namespace.as_ref()) {
            let error = Error::invalid(format!("is not of tenant `{}`", self.name()));
            return Err(vec![named(component, error)]);
        }
        let old = self.manifests().get(&component.name).cloned();
        if let Some(old) = old.as_ref().filter(|old| old.block != component.block) {
            let text = format!(
                "is of block `{}`, and its name is that of one of block `{}`; remove that one first",
                component.block, old.block
            );
            return Err(vec![named(component, Error::conflict(text))]);
        }
        let resolved = self.prepare(registry, component).await?;
        let users = self.users(&component.name);
        let ids = users.iter().map(|app| app.id().clone()).collect();
        self.orphans().insert(component.name.clone(), ids);
        self.vacate(component, &users).await;
        let Err(mut problems) = self.fill(resolved, &users).await else {
            self.orphans().remove(&component.name);
            self.know(component);
            return Ok(());
        };
        let Some(old) = old else {
            self.orphans().remove(&component.name);
            self.close_component(component).await;
            return Err(problems);
        };
        problems.extend(self.restore(registry, &old, &users).await);
        Err(problems)
    }

    /// Opens the component that was there before, and reports why where it cannot.
    async fn restore(&self, registry: &Registry, old: &Manifest, users: &[Arc<App>]) -> Vec<Error> {
        self.vacate(old, users).await;
        let restored = match self.prepare(registry, old).await {
            Ok(resolved) => self.fill(resolved, users).await,
            Err(errors) => Err(errors),
        };
        let Err(mut errors) = restored else {
            self.orphans().remove(&old.name);
            return Vec::new();
        };
        self.break_off(old).await;
        let text = "cannot be opened again either; replace it by one that opens";
        errors.insert(0, named(old, Error::unavailable(text)));
        errors
    }

    /// Removes a component. `conflict` while an app cannot do without it, `not-found` where there is none.
    pub async fn remove_component(self: &Arc<Self>, name: &ComponentName) -> Result<()> {
        let (tenant, name) = (self.clone(), name.clone());
        self.whole(async move { tenant.remove_component_now(&name).await })
            .await?
    }

    async fn remove_component_now(&self, name: &ComponentName) -> Result<()> {
        let _turn = self.turn().await?;
        let known = self.manifests().get(name).cloned();
        let Some(component) = known else {
            return Err(Error::not_found(format!("no component `{name}`")));
        };
        let users: Vec<_> = self
            .users(name)
            .iter()
            .map(|app| app.id().to_string())
            .collect();
        if !users.is_empty() {
            return Err(Error::conflict(format!(
                "component `{name}` is in use by {}; remove them first",
                users.join(", ")
            )));
        }
        if self.state.is_internal_store(name) {
            return Err(Error::conflict(format!(
                "component `{name}` keeps the actors and workflows of the tenant; replace it instead"
            )));
        }
        self.close_component(&component).await;
        self.manifests().remove(name);
        self.orphans().remove(name);
        Ok(())
    }

    /// Reads every setting of a component, its secrets among them.
    async fn prepare(
        &self,
        registry: &Registry,
        component: &Manifest,
    ) -> Result<(Manifest, Prepared), Vec<Error>> {
        let mut all: Vec<Manifest> = self.manifests().values().cloned().collect();
        all.retain(|known| known.name != component.name);
        all.push(component.clone());
        let mut problems = between::problems(&all);
        let all: Vec<&Manifest> = all.iter().collect();
        let stores = Stores::new(self.name(), &all);
        let mut checked = Checked::default();
        let asked = (&stores, registry, component);
        let resolved = self.look_up(asked, &mut checked, &mut problems).await;
        problems.append(&mut checked.left_out);
        let Some(resolved) = resolved.filter(|_| problems.is_empty()) else {
            return Err(problems);
        };
        let prepared = Prepared::new(registry, (&self.settings(), &self.ledger), &resolved).await?;
        Ok((resolved, prepared))
    }

    /// Apps that something of the component reaches, without being asked.
    fn users(&self, component: &ComponentName) -> Vec<Arc<App>> {
        let mut ids = self.pubsub.users(component);
        ids.extend(self.orphans().get(component).cloned().unwrap_or_default());
        ids.extend(self.bindings.user(component));
        if self.jobs.components.of(component).is_some() {
            ids.extend(self.jobs.users());
        }
        ids.sort();
        ids.dedup();
        let apps = self.apps();
        ids.iter().filter_map(|id| apps.get(id).cloned()).collect()
    }

    /// The components of a block.
    pub(super) fn components(&self, block: &str) -> &dyn Changing {
        match block {
            "bindings" => &self.bindings.components,
            "configuration" => &self.configuration.components,
            "crypto" => &self.crypto.components,
            "jobs" => &self.jobs.components,
            "lock" => &self.lock.components,
            "middleware" => &self.middleware.components,
            "pubsub" => &self.pubsub.components,
            SECRET_STORES => &self.secrets.components,
            _ => &self.state.components,
        }
    }

    /// Ends what the component delivers, and closes it for another one.
    async fn vacate(&self, component: &Manifest, users: &[Arc<App>]) {
        for app in users {
            match component.block.as_str() {
                "bindings" => self.bindings.detach(app.id()).await,
                "pubsub" => self.pubsub.detach(app.id()).await,
                _ => {}
            }
        }
        let components = self.components(&component.block);
        components.vacate(&component.name).await;
        if component.block == "state" && self.state.is_internal_store(&component.name) {
            self.actors.forget(self.name());
        }
    }

    /// Opens a component, and delivers what comes from it as before.
    async fn fill(
        &self,
        (component, prepared): (Manifest, Prepared),
        users: &[Arc<App>],
    ) -> Result<(), Vec<Error>> {
        let what = || "`open` of a component".to_owned();
        let opened = self.open_in_time(&component, prepared);
        let opened = panics::caught(Kind::Internal, what, opened).await;
        opened.map_err(|error| vec![named(&component, error)])?;
        for app in users {
            match component.block.as_str() {
                "bindings" => self.listen(app).await?,
                "pubsub" => self.subscribe(app).await?,
                _ => {}
            }
        }
        if component.block == "jobs" {
            // Apps that came before it have jobs from now on.
            self.jobs.refresh(&self.all_apps()).await;
        }
        Ok(())
    }

    /// Leaves the place of a component that cannot be opened, with all that is for it, to the next one.
    async fn break_off(&self, component: &Manifest) {
        let users = self.users(&component.name);
        self.vacate(component, &users).await;
        let components = self.components(&component.block);
        components.break_off(&component.name);
    }

    fn orphans(&self) -> MutexGuard<'_, BTreeMap<ComponentName, Vec<Name>>> {
        self.orphans.lock()
    }

    async fn close_component(&self, component: &Manifest) {
        let name = &component.name;
        match component.block.as_str() {
            "bindings" => self.routes.close(self.name(), name),
            "configuration" => self.configuration.unwatch(name),
            _ => {}
        }
        self.components(&component.block).remove(name).await;
    }
}
