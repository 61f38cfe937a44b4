//! The suite of the secrets block over the sample plugin.

use super::{component, registry, site};
use conformance::{
    Open, Opener, features,
    secrets::{self, KEPT, SEVERAL},
    trial,
};
use futures::FutureExt as _;
use libtest_mimic::Trial;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use wythe_blocks::secrets::Driver;

pub fn trials() -> Vec<Trial> {
    let open: Opener<dyn Driver> = Arc::new(open);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &secrets::Case| {
        let name = format!("plugins::secrets::strongbox::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    secrets::CASES.iter().map(trial).collect()
}

/// The secrets of the suite as the plugin's metadata.
fn settings() -> String {
    let several = SEVERAL
        .1
        .map(|(key, value)| (format!("{}.{key}", SEVERAL.0), value));
    let kept = KEPT.map(|(name, value)| (name.to_owned(), value));
    let all: BTreeMap<_, _> = kept.into_iter().chain(several).collect();
    let json = serde_json::json!(all).to_string();
    serde_json::json!({ "name": "secrets", "value": json }).to_string()
}

fn open(directory: &Path) -> Open<dyn Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let component = component("secretstores", "strongbox", &settings());
            registry.secrets.open(&component, site).await
        }
        .boxed()
    })
}
