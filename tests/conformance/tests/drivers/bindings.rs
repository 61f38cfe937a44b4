//! The suite of the bindings block over its native drivers.

use crate::{
    list::{self, Subject},
    open::opener,
};
use conformance::{Opener, bindings, features, trial};
use libtest_mimic::Trial;
use wythe_blocks::bindings::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("bindings") {
        let features = features(&open(subject), |driver| driver.features());
        for case in bindings::CASES {
            let name = format!("bindings::{}::{}", subject.name(), case.name);
            let is_shaken =
                case.name == "one_name_has_one_whole_record" && subject.name() == "aws.s3";
            let fails = is_shaken
                .then_some("the server in its place fails at two writes of one key at once");
            let reason = case.reason(&features, subject.durable).or(fails);
            trials.push(trial(name, reason, open(subject), case.run));
        }
    }
    trials
}

pub(crate) fn open(subject: &Subject) -> Opener<dyn Driver> {
    opener(subject.component(&[]), |registry, component, site| {
        Box::pin(async move { registry.bindings.open(&component, site).await })
    })
}
