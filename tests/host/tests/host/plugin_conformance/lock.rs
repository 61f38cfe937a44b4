//! The suite of the lock block over the sample plugin.

use super::{component, registry, site};
use conformance::{Open, Opener, features, lock, trial};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::lock::Driver;

pub fn trials() -> Vec<Trial> {
    let open: Opener<dyn Driver> = Arc::new(open);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &lock::Case| {
        let name = format!("plugins::lock::locksmith::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    lock::CASES.iter().map(trial).collect()
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let component = component("lock", "locksmith", "{ name: callTimeout, value: 20s }");
            registry.lock.open(&component, site).await
        }
        .boxed()
    })
}
