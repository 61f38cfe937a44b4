//! The suite of the actors block over the native drivers of state.

use crate::list;
use conformance::{actors, features, trial};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("state").filter(|one| one.hosts()) {
        let features = features(&crate::state::open(subject), |driver| driver.features());
        for case in actors::CASES {
            let name = format!("actors::{}::{}", subject.name(), case.name);
            // Each on storage of its own, where that is no directory.
            let open = crate::state::open(subject);
            trials.push(trial(name, (case.needs)(&features), open, case.run));
        }
    }
    trials
}
