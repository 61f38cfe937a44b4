//! The suite of the lock block over the sample plugin.

use super::{component, opener};
use conformance::{features, lock, trial};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let component = component("lock", "locksmith", "{ name: callTimeout, value: 20s }");
    let open = opener(|registry| &registry.lock, component);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &lock::Case| {
        let name = format!("plugins::lock::locksmith::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    lock::CASES.iter().map(trial).collect()
}
