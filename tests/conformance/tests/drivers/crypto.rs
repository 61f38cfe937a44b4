//! The suite of the crypto block over its native drivers, and what others published of each algorithm.

mod texts;
mod vectors;

use crate::{
    list::{self, Subject},
    open::site,
};
use conformance::{
    Opener,
    crypto::{self, STORED, Stored},
};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::crypto::Driver;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("crypto") {
        let name = format!("crypto::{}", subject.name());
        trials.extend(crypto::trials(&name, open(subject, &all())));
    }
    trials.extend(texts::trials());
    trials.extend(vectors::trials());
    trials
}

/// All keys as one set.
fn all() -> String {
    let keys: Vec<_> = STORED.iter().map(|stored| stored.jwk).collect();
    format!("{{ \"keys\": [{}] }}", keys.join(","))
}

/// Opens a driver that is given this set of keys, or finds the keys of the suite as files, next to some that are none:
/// in `keys` as people have them, in `jwks` each as a JWK.
fn open(subject: &Subject, jwks: &str) -> Opener<dyn Driver> {
    let component = subject.component(&[("jwks", jwks.into())]);
    Arc::new(move |beside: &Path| {
        write(&beside.join("keys"), |stored| stored.file);
        write(&beside.join("jwks"), |stored| stored.jwk.as_bytes());
        let registry = Arc::new(wythe_drivers::registry());
        let (component, site) = (component.clone(), site(beside));
        Arc::new(move || {
            let (registry, component, site) = (registry.clone(), component.clone(), site.clone());
            Box::pin(async move { registry.crypto.open(&component, site).await })
        })
    })
}

fn write(directory: &Path, bytes: fn(&Stored) -> &'static [u8]) {
    std::fs::create_dir_all(directory.join("folder")).expect("a directory");
    std::fs::write(directory.join(".hidden"), STORED[0].file).expect("a file");
    for stored in &STORED {
        std::fs::write(directory.join(stored.name), bytes(stored)).expect("a file");
    }
}
