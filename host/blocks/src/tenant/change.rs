//! Settings of a tenant that change while it runs.

use super::{Settings, Tenant, admit::all};
use crate::{Entrance, Error, Result};
use std::sync::Arc;
use wythe_manifest::Same;

impl Tenant {
    /// Says by what the tenant is reached from outside; until then it answers to everything. `conflict` where a host name
    /// is another tenant's.
    pub fn enter(&self, entrance: Entrance) -> Result<()> {
        self.routes.enter(self.name(), entrance)
    }

    /// Puts settings in place of those before, for what is opened from now on. Where other subscriptions are declared,
    /// each subscriber has what is for it now. Every problem is reported; the settings are the new ones all the same.
    pub async fn configure(self: &Arc<Self>, settings: Settings) -> Result<(), Vec<Error>> {
        let tenant = self.clone();
        let configured = self.whole(async move { tenant.configure_now(settings).await });
        configured.await.map_err(|error| vec![error])?
    }

    async fn configure_now(&self, settings: Settings) -> Result<(), Vec<Error>> {
        let _turn = self.turn().await.map_err(|error| vec![error])?;
        if settings.tenant != *self.name() {
            let error =
                Error::invalid(format!("settings of another tenant than `{}`", self.name()));
            return Err(vec![error]);
        }
        self.logs.resize(settings.log_bytes());
        self.ledger.set(settings.quotas());
        self.resiliency.set(&settings.resiliencies);
        let pipeline = self.middleware.pipeline(&settings);
        self.routes.guard(self.name(), pipeline);
        for app in self.all_apps() {
            self.guard(&app, &settings);
        }
        // Last: what a policy no longer denies may be what a handler denies from now on.
        self.invocation.access().set(&settings.configurations);
        let before = self.settings.swap(Arc::new(settings));
        let now = self.settings();
        if before.subscriptions.is_same(&now.subscriptions) {
            return Ok(());
        }
        let mut problems = Vec::new();
        for app in self.all_apps() {
            problems.extend(self.subscribe(&app).await.err().into_iter().flatten());
        }
        all([problems])
    }
}
