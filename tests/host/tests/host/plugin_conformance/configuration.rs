//! The suite of the configuration block over the sample plugin.

use super::{component, registry, site};
use conformance::{Open, Opener, configuration, features, trial};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::configuration::Driver;

pub fn trials() -> Vec<Trial> {
    let open: Opener<dyn Driver> = Arc::new(open);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &configuration::Case| {
        let name = format!("plugins::configuration::settings::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    configuration::CASES.iter().map(trial).collect()
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let setting = "{ name: callTimeout, value: 20s }";
            let component = component("configuration", "settings", setting);
            registry.configuration.open(&component, site).await
        }
        .boxed()
    })
}
