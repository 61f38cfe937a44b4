//! The suite of the bindings block over its native drivers.

use crate::open::{component, opener};
use conformance::{Opener, bindings, features, trial};
use libtest_mimic::Trial;
use wythe_blocks::bindings::Driver;

/// The drivers, each with whether it keeps what it was given over a restart.
const DRIVERS: [(&str, bool); 2] = [("localstorage", true), ("memory", false)];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (driver, durable) in DRIVERS {
        let features = features(&open(driver), |driver| driver.features());
        for case in bindings::CASES {
            let name = format!("bindings::{driver}::{}", case.name);
            let reason = case.reason(&features, durable);
            trials.push(trial(name, reason, open(driver), case.run));
        }
    }
    trials
}

pub(crate) fn open(driver: &'static str) -> Opener<dyn Driver> {
    let metadata = match driver {
        "localstorage" => "[{ name: rootPath, value: storage }]",
        _ => "",
    };
    opener(
        component("bindings", driver, metadata),
        |registry, component, site| {
            Box::pin(async move { registry.bindings.open(&component, site).await })
        },
    )
}
