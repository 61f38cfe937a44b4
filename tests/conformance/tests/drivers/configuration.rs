//! The suite of the configuration block over its native drivers.

use crate::{
    list::{self, Subject},
    open::opener,
    secrets::kubernetes,
};
use conformance::{
    Opener,
    configuration::{CASES, HELD},
    features, trial,
};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::configuration::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("configuration") {
        let features = features(&open(subject), |driver| driver.features());
        for case in CASES {
            let name = format!("configuration::{}::{}", subject.name(), case.name);
            trials.push(trial(
                name,
                (case.needs)(&features),
                open(subject),
                case.run,
            ));
        }
    }
    trials
}

/// The file and the made-up API server have the items of the suite; the others get them from the suite.
pub(crate) fn open(subject: &Subject) -> Opener<dyn Driver> {
    let open = opener(subject.component(&[]), |registry, component, site| {
        Box::pin(async move { registry.configuration.open(&component, site).await })
    });
    let held = HELD.map(|(key, value)| (key.to_owned(), value.into()));
    let json = serde_json::Value::Object(held.into_iter().collect()).to_string();
    Arc::new(move |directory: &Path| {
        std::fs::write(directory.join("settings.json"), &json).expect("a file");
        let user = format!("token: {}", kubernetes::TOKEN);
        kubernetes::kubeconfig(directory, kubernetes::CLUSTER.address, &user);
        open(directory)
    })
}
