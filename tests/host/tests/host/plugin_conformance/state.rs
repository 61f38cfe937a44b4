//! The suite of the state block over the sample plugin.

use super::{component, registry, site};
use conformance::{Open, Opener, features, state, trial};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::state::Driver;

pub fn trials() -> Vec<Trial> {
    let open: Opener<dyn Driver> = Arc::new(open);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &state::Case| {
        let name = format!("plugins::state::ttl_cache::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    state::CASES.iter().map(trial).collect()
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let component = component("state", "ttl_cache", "{ name: maxEntries, value: 100000 }");
            registry.state.open(&component, site).await
        }
        .boxed()
    })
}
