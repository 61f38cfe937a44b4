//! The suite of the pubsub block over its native drivers.

use crate::open::{component, opener};
use conformance::{Opener, features, pubsub, trial};
use libtest_mimic::Trial;
use wythe_blocks::pubsub::Driver;

const DRIVERS: [&str; 2] = ["memory", "redb"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in DRIVERS {
        let features = features(&open(driver, pubsub::BACKLOG), |driver| driver.features());
        for case in pubsub::CASES {
            let name = format!("pubsub::{driver}::{}", case.name);
            trials.push(trial(
                name,
                (case.needs)(&features),
                open(driver, pubsub::BACKLOG),
                case.run,
            ));
        }
    }
    trials
}

pub(crate) fn open(driver: &'static str, backlog: usize) -> Opener<dyn Driver> {
    let metadata = format!("[{{ name: maxBacklog, value: {backlog} }}]");
    opener(
        component("pubsub", driver, &metadata),
        |registry, component, site| {
            Box::pin(async move { registry.pubsub.open(&component, site).await })
        },
    )
}
