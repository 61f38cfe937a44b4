//! The suite of the secrets block over the sample plugin.

use super::{component, opener};
use conformance::{
    features,
    secrets::{self, EMPTY, SEVERAL, STORED},
    trial,
};
use libtest_mimic::Trial;
use std::collections::BTreeMap;

pub fn trials() -> Vec<Trial> {
    let component = component("secretstores", "strongbox", &settings());
    let open = opener(|registry| &registry.secrets, component);
    let abilities = features(&open, |driver| driver.features());
    let trial = |case: &secrets::Case| {
        let name = format!("plugins::secrets::strongbox::{}", case.name);
        trial(name, (case.needs)(&abilities), open.clone(), case.run)
    };
    secrets::CASES.iter().map(trial).collect()
}

/// The secrets of the suite as the plugin's metadata.
fn settings() -> String {
    let several = SEVERAL
        .1
        .map(|(key, value)| (format!("{}.{key}", SEVERAL.0), value));
    let stored = STORED.map(|(name, value)| (name.to_owned(), value));
    let empty = [(EMPTY.to_owned(), "")];
    let all: BTreeMap<_, _> = stored.into_iter().chain(empty).chain(several).collect();
    let json = serde_json::json!(all).to_string();
    serde_json::json!({ "name": "secrets", "value": json }).to_string()
}
