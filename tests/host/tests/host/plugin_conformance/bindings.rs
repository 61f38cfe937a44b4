//! The suite of the bindings block over the sample plugin.

use super::{component, opener};
use conformance::{bindings, features, trial};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let component = component("bindings", "mailbox", "{ name: maxRecords, value: 500 }");
    let open = opener(|registry| &registry.bindings, component);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &bindings::Case| {
        let name = format!("plugins::bindings::mailbox::{}", case.name);
        let reason = case.reason(&abilities, false);
        trial(name, reason, open.clone(), case.run)
    };
    bindings::CASES.iter().map(trial).collect()
}
