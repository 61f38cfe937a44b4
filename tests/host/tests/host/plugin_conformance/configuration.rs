//! The suite of the configuration block over the sample plugin.

use super::{component, opener};
use conformance::{configuration, features, trial};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let component = component(
        "configuration",
        "settings",
        "{ name: callTimeout, value: 20s }",
    );
    let open = opener(|registry| &registry.configuration, component);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &configuration::Case| {
        let name = format!("plugins::configuration::settings::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    configuration::CASES.iter().map(trial).collect()
}
