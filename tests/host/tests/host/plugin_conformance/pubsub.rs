//! The suite of the pubsub block over the sample plugin.

use super::{component, opener};
use conformance::{features, pubsub, trial};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let backlog = format!("{{ name: maxBacklog, value: {} }}", pubsub::BACKLOG);
    let component = component("pubsub", "queue", &backlog);
    let open = opener(|registry| &registry.pubsub, component);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &pubsub::Case| {
        let name = format!("plugins::pubsub::queue::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    pubsub::CASES.iter().map(trial).collect()
}
