//! The suite of the pubsub block over the sample plugin.

use super::{component, registry, site};
use conformance::{Open, Opener, features, pubsub, trial};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::pubsub::Driver;

pub fn trials() -> Vec<Trial> {
    let open: Opener<dyn Driver> = Arc::new(open);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &pubsub::Case| {
        let name = format!("plugins::pubsub::queue::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    pubsub::CASES.iter().map(trial).collect()
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let backlog = format!("{{ name: maxBacklog, value: {} }}", pubsub::BACKLOG);
            let component = component("pubsub", "queue", &backlog);
            registry.pubsub.open(&component, site).await
        }
        .boxed()
    })
}
