//! The suite of the crypto block over its native drivers, and published answers to each algorithm.

mod vectors;

use crate::open::{component, site};
use conformance::{Opener, Subject, crypto, runtime, trial};
use libtest_mimic::Trial;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use wythe_blocks::{Site, crypto::Driver};

/// The same keys for all: a JWK set, and a folder with a file each, in every form that there is.
const JWKS: &str = include_str!("../../keys.json");

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in ["local.keys", "memory"] {
        let held = names(&open(driver));
        for case in crypto::CASES {
            let name = format!("crypto::{driver}::{}", case.name);
            trials.push(trial(name, case.needs(&held), open(driver), case.run));
        }
    }
    trials.extend(vectors::trials());
    trials
}

fn names(open: &Opener<dyn Driver>) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let names = async {
        Subject::start(open(directory.path()))
            .await
            .driver()
            .names()
            .await
    };
    let runtime = runtime().expect("a runtime");
    runtime.block_on(names).expect("names")
}

fn open(driver: &'static str) -> Opener<dyn Driver> {
    Arc::new(move |directory: &Path| {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let metadata = match driver {
            "memory" => format!(
                "[{{ name: jwks, value: {} }}]",
                serde_json::Value::from(JWKS)
            ),
            _ => "[{ name: path, value: keys }]".to_owned(),
        };
        let site = Site {
            beside: here.to_owned(),
            ..site(directory)
        };
        opened(driver, metadata, site)
    })
}

/// The keys that are files of a folder.
fn folder(path: PathBuf) -> conformance::Open<dyn Driver> {
    let beside = path.clone();
    let site = Site {
        beside,
        ..site(&path)
    };
    opened("local.keys", "[{ name: path, value: . }]".to_owned(), site)
}

fn opened(driver: &'static str, metadata: String, site: Site) -> conformance::Open<dyn Driver> {
    let registry = Arc::new(wythe_drivers::registry());
    let component = component("crypto", driver, &metadata);
    Arc::new(move || {
        let (registry, component, site) = (registry.clone(), component.clone(), site.clone());
        Box::pin(async move { registry.crypto.open(&component, site).await })
    })
}

fn write(directory: &Path, name: &str, key: impl AsRef<[u8]>) {
    fs::write(directory.join(name), key).expect("a file");
}
