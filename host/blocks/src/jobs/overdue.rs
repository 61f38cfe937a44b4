//! Jobs that are due and have not begun, as the driver says when somebody asks for metrics.

use super::Jobs;
use crate::metrics::{Family, Page, named};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use wythe_manifest::Name;

/// Time for a driver to say it of all apps.
const LIMIT: Duration = Duration::from_secs(2);
/// Jobs of one app that are counted.
const COUNTED: u32 = 10_000;

static OVERDUE: Family = Family::gauge(
    "wythe_jobs_overdue",
    "Jobs of an app that are due and have not begun; 10,000 are counted. It stays above 0 where the app is not well, has too few places or is not asked: see wythe_app_healthy and limits.concurrency.",
);

/// The jobs of one app that are overdue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overdue {
    app: Name,
    jobs: u64,
}

impl Jobs {
    /// Asks the driver about each app whose jobs run here. What it does not say in time, or cannot say, has no row.
    pub(crate) async fn overdue(&self) -> Vec<Overdue> {
        let mut overdue = Vec::new();
        let Some(slot) = self
            .components
            .all()
            .into_iter()
            .find(|slot| slot.is_open())
        else {
            return overdue;
        };
        let (component, end) = (slot.component(), Instant::now() + LIMIT);
        let driver = &component.driver().driver;
        for app in self.users() {
            let now = (self.clock)();
            let asked = timeout_at(end, driver.overdue(app.as_str(), now, COUNTED)).await;
            match asked {
                Ok(Ok(Some(jobs))) => overdue.push(Overdue { app, jobs }),
                Ok(Ok(None)) | Err(_) => break,
                Ok(Err(_)) => {}
            }
        }
        overdue
    }
}

impl Overdue {
    pub fn collect(&self, page: &mut Page, tenant: &str) {
        let app = named("app", self.app.as_str());
        page.number(&OVERDUE, tenant, &[app], self.jobs as f64);
    }
}
