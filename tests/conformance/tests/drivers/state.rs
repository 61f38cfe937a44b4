//! The suite of the state block over its native drivers.

use crate::{
    list::{self, Subject},
    open::opener,
};
use conformance::{Opener, features, state, trial};
use libtest_mimic::Trial;
use wythe_blocks::state::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("state") {
        let features = features(&open(subject), |driver| driver.features());
        for case in state::CASES {
            let name = format!("state::{}::{}", subject.name(), case.name);
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
        Box::pin(async move { registry.state.open(&component, site).await })
    })
}
