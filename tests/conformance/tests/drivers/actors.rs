//! The suite of the actors block over the native drivers of state.

use crate::list;
use conformance::{actors, features, trial};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("state").filter(|one| one.hosting) {
        if let Some(missing) = subject.missing("actors") {
            trials.push(missing);
            continue;
        }
        let open = crate::state::open(subject);
        let features = features(&open, |driver| driver.features());
        for case in actors::CASES {
            let name = format!("actors::{}::{}", subject.name(), case.name);
            trials.push(trial(name, (case.needs)(&features), open.clone(), case.run));
        }
    }
    trials
}
