//! The suite of the lock block over its native drivers.

use crate::open::{component, opener};
use conformance::{Opener, features, lock, trial};
use libtest_mimic::Trial;
use wythe_blocks::lock::Driver;

const DRIVERS: [&str; 2] = ["memory", "redb"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in DRIVERS {
        let features = features(&open(driver), |driver| driver.features());
        for case in lock::CASES {
            let name = format!("lock::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open(driver), case.run));
        }
    }
    trials
}

pub(crate) fn open(driver: &'static str) -> Opener<dyn Driver> {
    opener(
        component("lock", driver, ""),
        |registry, component, site| {
            Box::pin(async move { registry.lock.open(&component, site).await })
        },
    )
}
