//! The suite of the actors block over the native drivers of state.

use conformance::{actors, features, trial};
use libtest_mimic::Trial;

const DRIVERS: [&str; 2] = ["memory", "redb"];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in DRIVERS {
        let open = crate::state::open(driver);
        let features = features(&open, |driver| driver.features());
        for case in actors::CASES {
            let name = format!("actors::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open.clone(), case.run));
        }
    }
    trials
}
