//! The suite of the lock block over its native drivers.

use crate::{
    list::{self, Subject},
    open::opener,
};
use conformance::{Opener, features, lock, trial};
use libtest_mimic::Trial;
use wythe_blocks::lock::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("lock") {
        let features = features(&open(subject), |driver| driver.features());
        for case in lock::CASES {
            let name = format!("lock::{}::{}", subject.name(), case.name);
            trials.push(trial(
                name,
                (case.needs)(&features),
                open(subject),
                case.run,
            ));
        }
    }
    trials
}

pub(crate) fn open(subject: &Subject) -> Opener<dyn Driver> {
    opener(subject.component(&[]), |registry, component, site| {
        Box::pin(async move { registry.lock.open(&component, site).await })
    })
}
