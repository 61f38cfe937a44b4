//! Numbers of actors, for whoever watches the host.

use super::Actors;
use crate::metrics::{Family, Page, REMINDERS, named, word};
use wythe_manifest::Name;

static ACTIVE: Family = Family::gauge(
    "wythe_actors_active",
    "Actors that are in memory of this host now.",
);
static LATE: Family = Family::gauge(
    "wythe_reminders_late",
    "Reminders that are due and have not had their turn. waiting: for a place; failed: their turn failed, and they come again.",
);

impl Actors {
    pub(crate) fn collect(&self, page: &mut Page, tenant: &Name) {
        let Some(space) = self.engine.known(tenant) else {
            return;
        };
        let is_daprs = page.wants_daprs(tenant);
        let tenant = tenant.as_str();
        for (app, count) in space.slots.counts() {
            page.number(&ACTIVE, tenant, &[named("app", app.as_str())], count as f64);
        }
        for (app, [waiting, failed, known]) in space.due.counts() {
            for (state, count) in [("waiting", waiting), ("failed", failed)] {
                let labels = [named("app", app.as_str()), word("state", state)];
                page.number(&LATE, tenant, &labels, count as f64);
            }
            if is_daprs {
                let app = [named("app_id", app.as_str())];
                page.number(&REMINDERS, tenant, &app, known as f64);
            }
        }
    }
}
