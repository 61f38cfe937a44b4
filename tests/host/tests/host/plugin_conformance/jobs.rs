//! The suite of the jobs block over the sample plugin.

use super::{component, opener};
use conformance::{features, jobs, trial};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let component = component("jobs", "agenda", "{ name: maxBytes, value: 33554432 }");
    let open = opener(|registry| &registry.jobs, component);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &jobs::Case| {
        let name = format!("plugins::jobs::agenda::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    jobs::CASES.iter().map(trial).collect()
}
