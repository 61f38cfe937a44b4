//! The suite of the crypto block over its native drivers, and what others published of each algorithm.

mod texts;
mod vectors;

use crate::open::{component, opener, site};
use conformance::{
    Opener,
    crypto::{self, KEPT},
};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::crypto::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in ["memory", "dapr.jwks"] {
        trials.extend(crypto::trials(
            &format!("crypto::{driver}"),
            set(driver, &all()),
        ));
    }
    let jwks = KEPT.iter().map(|kept| (kept.name, kept.jwk.as_bytes()));
    let jwks: Vec<_> = jwks.collect();
    let files: Vec<_> = KEPT.iter().map(|kept| (kept.name, kept.file)).collect();
    for (name, driver, files) in [
        ("local.keys", "local.keys", files),
        ("local.keys_of_jwks", "local.keys", jwks.clone()),
        ("dapr.localstorage", "dapr.localstorage", jwks),
    ] {
        let open = directory(driver, files);
        trials.extend(crypto::trials(&format!("crypto::{name}"), open));
    }
    trials.extend(texts::trials());
    trials.extend(vectors::trials());
    trials
}

/// All keys as one set.
fn all() -> String {
    let keys: Vec<_> = KEPT.iter().map(|kept| kept.jwk).collect();
    format!("{{ \"keys\": [{}] }}", keys.join(","))
}

/// A driver that is given its keys as a set.
fn set(driver: &str, jwks: &str) -> Opener<dyn Driver> {
    let jwks = serde_json::Value::from(jwks);
    let component = component(
        "crypto",
        driver,
        &format!("[{{ name: jwks, value: {jwks} }}]"),
    );
    opener(component, |registry, component, site| {
        Box::pin(async move { registry.crypto.open(&component, site).await })
    })
}

/// A driver that is given its keys as files, next to some that are none.
fn directory(driver: &str, files: Vec<(&'static str, &'static [u8])>) -> Opener<dyn Driver> {
    let component = component("crypto", driver, "[{ name: path, value: keys }]");
    Arc::new(move |beside: &Path| {
        let keys = beside.join("keys");
        std::fs::create_dir_all(keys.join("folder")).expect("a directory");
        std::fs::write(keys.join(".hidden"), KEPT[0].file).expect("a file");
        for (name, bytes) in &files {
            std::fs::write(keys.join(name), bytes).expect("a file");
        }
        let registry = Arc::new(wythe_drivers::registry());
        let (component, site) = (component.clone(), site(beside));
        Arc::new(move || {
            let (registry, component, site) = (registry.clone(), component.clone(), site.clone());
            Box::pin(async move { registry.crypto.open(&component, site).await })
        })
    })
}
