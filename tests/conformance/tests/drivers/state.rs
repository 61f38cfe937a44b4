//! The suite of the state block over its native drivers.

use crate::open::{component, opener};
use conformance::{Opener, features, state, trial};
use libtest_mimic::Trial;
use wythe_blocks::state::Driver;

const DRIVERS: [&str; 3] = ["memory", "redb", "sled"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in DRIVERS {
        let features = features(&open(driver), |driver| driver.features());
        for case in state::CASES {
            let name = format!("state::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open(driver), case.run));
        }
    }
    trials
}

pub(crate) fn open(driver: &'static str) -> Opener<dyn Driver> {
    opener(
        component("state", driver, ""),
        |registry, component, site| {
            Box::pin(async move { registry.state.open(&component, site).await })
        },
    )
}
