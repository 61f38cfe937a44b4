//! The suite of the jobs block over the sample plugin.

use super::{component, registry, site};
use conformance::{Open, Opener, features, jobs, trial};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::jobs::Driver;

pub fn trials() -> Vec<Trial> {
    let open: Opener<dyn Driver> = Arc::new(open);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &jobs::Case| {
        let name = format!("plugins::jobs::agenda::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    jobs::CASES.iter().map(trial).collect()
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let component = component("jobs", "agenda", "{ name: maxBytes, value: 33554432 }");
            registry.jobs.open(&component, site).await
        }
        .boxed()
    })
}
