//! The suite of the configuration block over its native drivers.

use crate::open::{component, opener};
use conformance::{
    Opener,
    configuration::{CASES, HELD},
    features, trial,
};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::configuration::Driver;

const DRIVERS: [&str; 3] = ["local.file", "memory", "redb"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in DRIVERS {
        let features = features(&open(driver), |driver| driver.features());
        for case in CASES {
            let name = format!("configuration::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open(driver), case.run));
        }
    }
    trials
}

/// The file has the items of the suite; the others get them from the suite.
pub(crate) fn open(driver: &'static str) -> Opener<dyn Driver> {
    let metadata = match driver {
        "local.file" => "[{ name: path, value: settings.json }]",
        _ => "",
    };
    let open = opener(
        component("configuration", driver, metadata),
        |registry, component, site| {
            Box::pin(async move { registry.configuration.open(&component, site).await })
        },
    );
    let held = HELD.map(|(key, value)| (key.to_owned(), value.into()));
    let json = serde_json::Value::Object(held.into_iter().collect()).to_string();
    Arc::new(move |directory: &Path| {
        std::fs::write(directory.join("settings.json"), &json).expect("a file");
        open(directory)
    })
}
