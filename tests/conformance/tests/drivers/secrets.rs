//! The suite of the secrets block over its native drivers.

use crate::open::{component, site};
use conformance::{
    Opener, features,
    secrets::{self, KEPT, SEVERAL},
    trial,
};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::{Site, secrets::Driver};

/// The drivers, each with whether nested objects are secrets of several values.
const DRIVERS: [(&str, bool); 5] = [
    ("local.env", false),
    ("local.file", false),
    ("local.file", true),
    ("memory", false),
    ("memory", true),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (driver, several) in DRIVERS {
        let open = || open(driver, several);
        let features = features(&open(), |driver| driver.features());
        let driver = match several {
            true => format!("{driver}_of_several_values"),
            false => driver.to_owned(),
        };
        for case in secrets::CASES {
            let name = format!("secrets::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open(), case.run));
        }
    }
    trials
}

/// Opens a driver with the secrets of the suite, wherever it looks for them.
fn open(driver: &'static str, several: bool) -> Opener<dyn Driver> {
    let mut tree: serde_json::Map<_, _> = KEPT
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let database = SEVERAL.1.map(|(key, value)| (key.to_owned(), value.into()));
    let database = serde_json::Map::from_iter(database);
    tree.insert(SEVERAL.0.to_owned(), database.into());
    let json = serde_json::Value::Object(tree).to_string();
    let metadata = match driver {
        "local.env" => "[{ name: prefix, value: KEPT_ }]".to_owned(),
        "local.file" => {
            format!(
                "[{{ name: secretsFile, value: secrets.json }}, {{ name: multiValued, value: {several} }}]"
            )
        }
        _ => format!(
            "[{{ name: secrets, value: {} }}, {{ name: multiValued, value: {several} }}]",
            serde_json::Value::from(json.as_str())
        ),
    };
    let component = component("secretstores", driver, &metadata);
    Arc::new(move |directory: &Path| {
        std::fs::write(directory.join("secrets.json"), &json).expect("a file");
        let registry = Arc::new(wythe_drivers::registry());
        let variables = KEPT.map(|(name, value)| (format!("KEPT_{name}"), value.to_owned()));
        let (component, site) = (
            component.clone(),
            Site {
                environment: variables.into_iter().collect(),
                ..site(directory)
            },
        );
        Arc::new(move || {
            let (registry, component, site) = (registry.clone(), component.clone(), site.clone());
            Box::pin(async move { registry.secrets.open(&component, site).await })
        })
    })
}
