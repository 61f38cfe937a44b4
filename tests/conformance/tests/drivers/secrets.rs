//! The suite of the secrets block over its native drivers.

pub(crate) mod kubernetes;
pub(crate) mod vault;

use crate::{
    list::{self, Subject},
    open::site,
};
use conformance::{
    Opener, features,
    secrets::{self, EMPTY, SEVERAL, STORED},
    trial,
};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::{Site, secrets::Driver};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("secretstores") {
        let features = features(&open(subject), |driver| driver.features());
        for case in secrets::CASES {
            let name = format!("secrets::{}::{}", subject.name(), case.name);
            let full =
                (case.needs_empty && !subject.empty).then_some("the store keeps no empty text");
            trials.push(trial(
                name,
                (case.needs)(&features).or(full),
                open(subject),
                case.run,
            ));
        }
    }
    trials
}

/// Opens a driver with the secrets of the suite, wherever it looks for them.
fn open(subject: &Subject) -> Opener<dyn Driver> {
    let mut tree: serde_json::Map<_, _> = STORED
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let database = SEVERAL.1.map(|(key, value)| (key.to_owned(), value.into()));
    let database = serde_json::Map::from_iter(database);
    tree.insert(EMPTY.to_owned(), "".into());
    tree.insert(SEVERAL.0.to_owned(), database.into());
    let json = serde_json::Value::Object(tree).to_string();
    let component = subject.component(&[
        ("secrets", json.as_str().into()),
        ("vault", format!("http://{}", *vault::VAULT).into()),
        ("token", vault::TOKEN.into()),
    ]);
    Arc::new(move |directory: &Path| {
        std::fs::write(directory.join("secrets.json"), &json).expect("a file");
        let user = format!("token: {}", kubernetes::TOKEN);
        kubernetes::kubeconfig(directory, kubernetes::CLUSTER.address, &user);
        let registry = Arc::new(wythe_drivers::registry());
        let stored = STORED.into_iter().chain([(EMPTY, "")]);
        let variables = stored.map(|(name, value)| (format!("KEPT_{name}"), value.to_owned()));
        let (component, site) = (
            component.clone(),
            Site {
                terms: None,
                ledger: None,
                environment: variables.collect(),
                ..site(directory)
            },
        );
        Arc::new(move || {
            let (registry, component, site) = (registry.clone(), component.clone(), site.clone());
            Box::pin(async move { registry.secrets.open(&component, site).await })
        })
    })
}
