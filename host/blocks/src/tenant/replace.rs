//! Components that change while apps use them: one takes the place of another, comes, or goes.

use super::{Checked, Tenant, open::is_of};
use crate::{
    App, Error, Registry, Result, between,
    prepared::{Prepared, SECRET_STORES, named},
    secrets::Stores,
};
use std::sync::Arc;
use wythe_manifest::{Component as Manifest, ComponentName};

impl Tenant {
    /// Puts a component in the place of the one with its name, or adds it. Its settings are checked first. Calls under
    /// way end with the old one, within 30 s; those that come wait until the new one is open. Where it does not open, or
    /// an app cannot use it as it used the old one, the old one is opened again, and the answer says why.
    pub async fn replace(
        &self,
        registry: &Registry,
        component: &Manifest,
    ) -> Result<(), Vec<Error>> {
        let _turn = self.changes.lock().await;
        if !is_of(component, self.name()) {
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
        self.vacate(component, &users).await;
        let Err(mut problems) = self.fill(resolved, &users).await else {
            self.know(component);
            return Ok(());
        };
        let Some(old) = old else {
            self.close_component(component).await;
            return Err(problems);
        };
        self.vacate(&old, &users).await;
        let restored = match self.prepare(registry, &old).await {
            Ok(resolved) => self.fill(resolved, &users).await,
            Err(errors) => Err(errors),
        };
        if let Err(errors) = restored {
            self.close_component(&old).await;
            self.manifests().remove(&old.name);
            let text = "cannot be opened again either, and is gone";
            problems.push(named(&old, Error::unavailable(text)));
            problems.extend(errors);
        }
        Err(problems)
    }

    /// Removes a component. `conflict` while an app cannot do without it, `not-found` where there is none.
    pub async fn remove_component(&self, name: &ComponentName) -> Result<()> {
        let _turn = self.changes.lock().await;
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
        if self.state.is_keeper(name) {
            return Err(Error::conflict(format!(
                "component `{name}` keeps the actors and workflows of the tenant; replace it instead"
            )));
        }
        self.close_component(&component).await;
        self.manifests().remove(name);
        Ok(())
    }

    /// Reads every setting of a component, its secrets among them.
    async fn prepare(
        &self,
        registry: &Registry,
        component: &Manifest,
    ) -> Result<(Manifest, Prepared), Vec<Error>> {
        let known: Vec<Manifest> = self.manifests().values().cloned().collect();
        let others = known.iter().filter(|known| known.name != component.name);
        let all: Vec<&Manifest> = others.chain([component]).collect();
        let mut problems =
            between::problems(all.iter().copied().cloned().collect::<Vec<_>>().as_slice());
        let stores = Stores::new(self.name(), &all);
        let mut checked = Checked::default();
        let asked = (&stores, registry, component);
        let resolved = self.look_up(asked, &mut checked, &mut problems).await;
        problems.append(&mut checked.left_out);
        let Some(resolved) = resolved.filter(|_| problems.is_empty()) else {
            return Err(problems);
        };
        let prepared = Prepared::new(registry, &self.settings, &resolved).await?;
        Ok((resolved, prepared))
    }

    /// Apps that something of the component reaches, without being asked.
    fn users(&self, component: &ComponentName) -> Vec<Arc<App>> {
        let mut ids = self.pubsub.users(component);
        ids.extend(self.bindings.user(component));
        if self.jobs.components.of(component).is_some() {
            ids.extend(self.jobs.users());
        }
        let apps = self.apps();
        ids.iter().filter_map(|id| apps.get(id).cloned()).collect()
    }

    /// Ends what the component delivers, and closes it for another one.
    async fn vacate(&self, component: &Manifest, users: &[Arc<App>]) {
        let name = &component.name;
        match component.block.as_str() {
            "bindings" => {
                for app in users {
                    self.bindings.detach(app.id()).await;
                }
                self.bindings.components.vacate(name).await
            }
            "configuration" => self.configuration.components.vacate(name).await,
            "crypto" => self.crypto.components.vacate(name).await,
            "jobs" => self.jobs.components.vacate(name).await,
            "lock" => self.lock.components.vacate(name).await,
            "pubsub" => {
                for app in users {
                    self.pubsub.detach(app.id()).await;
                }
                self.pubsub.components.vacate(name).await
            }
            SECRET_STORES => self.secrets.components.vacate(name).await,
            _ => {
                let is_there = self.state.components.vacate(name).await;
                if self.state.is_keeper(name) {
                    self.actors.forget(self.name());
                }
                is_there
            }
        };
    }

    /// Opens a component, and delivers what comes from it as before.
    async fn fill(
        &self,
        (component, prepared): (Manifest, Prepared),
        users: &[Arc<App>],
    ) -> Result<(), Vec<Error>> {
        let opened = self.open_in_time(&component, prepared).await;
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
            self.all_apps().iter().for_each(|app| self.jobs.attach(app));
        }
        Ok(())
    }

    async fn close_component(&self, component: &Manifest) {
        let name = &component.name;
        match component.block.as_str() {
            "bindings" => {
                self.doors.close(self.name(), name);
                self.bindings.components.remove(name).await
            }
            "configuration" => {
                self.configuration.unwatch(name);
                self.configuration.components.remove(name).await
            }
            "crypto" => self.crypto.components.remove(name).await,
            "jobs" => self.jobs.components.remove(name).await,
            "lock" => self.lock.components.remove(name).await,
            "pubsub" => self.pubsub.components.remove(name).await,
            SECRET_STORES => self.secrets.components.remove(name).await,
            _ => self.state.components.remove(name).await,
        };
    }
}
