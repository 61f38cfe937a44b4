//! The suite of the state block over the sample plugin.

use super::{component, opener};
use conformance::{features, state, trial};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let component = component("state", "ttl_cache", "{ name: maxEntries, value: 100000 }");
    let open = opener(|registry| &registry.state, component);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &state::Case| {
        let name = format!("plugins::state::ttl_cache::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    state::CASES.iter().map(trial).collect()
}
