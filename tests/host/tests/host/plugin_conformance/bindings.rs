//! The suite of the bindings block over the sample plugin.

use super::{component, registry, site};
use conformance::{Open, Opener, bindings, features, trial};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::bindings::Driver;

pub fn trials() -> Vec<Trial> {
    let open: Opener<dyn Driver> = Arc::new(open);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &bindings::Case| {
        let name = format!("plugins::bindings::mailbox::{}", case.name);
        let reason = case.reason(&abilities, false);
        trial(name, reason, open.clone(), case.run)
    };
    bindings::CASES.iter().map(trial).collect()
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let setting = "{ name: maxRecords, value: 500 }";
            let component = component("bindings", "mailbox", setting);
            registry.bindings.open(&component, site).await
        }
        .boxed()
    })
}
