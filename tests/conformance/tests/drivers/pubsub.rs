//! The suite of the pubsub block over its native drivers.

use crate::{
    list::{self, Subject},
    open::opener,
};
use conformance::{Opener, features, pubsub, trial};
use libtest_mimic::Trial;
use wythe_blocks::pubsub::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("pubsub") {
        let features = features(&open(subject, pubsub::BACKLOG), |driver| driver.features());
        for case in pubsub::CASES {
            let name = format!("pubsub::{}::{}", subject.name(), case.name);
            let backlog = subject.misses_bound().filter(|_| case.needs_backlog);
            let headers = subject.no_headers.filter(|_| case.needs_headers);
            trials.push(trial(
                name,
                (case.needs)(&features).or(backlog).or(headers),
                open(subject, pubsub::BACKLOG),
                case.run,
            ));
        }
    }
    trials
}

pub(crate) fn open(subject: &Subject, backlog: usize) -> Opener<dyn Driver> {
    opener(
        subject.component(&[("backlog", backlog.into())]),
        |registry, component, site| {
            Box::pin(async move { registry.pubsub.open(&component, site).await })
        },
    )
}
