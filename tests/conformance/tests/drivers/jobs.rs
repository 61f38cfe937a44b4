//! The suite of the jobs block over its native drivers.

use crate::{
    list::{self, Subject},
    open::opener,
};
use conformance::{Opener, features, jobs, trial};
use libtest_mimic::Trial;
use wythe_blocks::jobs::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("jobs") {
        let features = features(&open(subject), |driver| driver.features());
        for case in jobs::CASES {
            let name = format!("jobs::{}::{}", subject.name(), case.name);
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
        Box::pin(async move { registry.jobs.open(&component, site).await })
    })
}
