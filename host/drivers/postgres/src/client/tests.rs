//! The clients that components share.

use super::*;
use crate::settings::Written;
use std::path::Path;
use wythe_blocks::Environment;
use wythe_manifest::Secret;

/// A client of a component in this directory, whose authorities are in `ca.pem`; no connection is made.
fn client(beside: &Path) -> Arc<Client> {
    let text = "host=localhost user=ada sslmode=disable sslrootcert=ca.pem";
    let written = Written {
        connection_string: Some(Secret::new(text)),
        ..Written::default()
    };
    let settings = Settings::parse(written).map_err(Error::from).unwrap();
    let site = Site {
        tenant: "default".parse().unwrap(),
        component: "store".to_owned(),
        directory: beside.join("data"),
        beside: beside.to_owned(),
        root: beside.to_owned(),
        environment: Environment::default(),
        terms: None,
        ledger: None,
    };
    Client::shared(settings, &site).unwrap()
}

#[test]
fn a_client_is_not_shared_by_those_who_trust_others() {
    let places: Vec<_> = ["a", "b", "a"]
        .map(|text| {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join("ca.pem"), text).unwrap();
            place
        })
        .into();
    let clients: Vec<_> = places.iter().map(|place| client(place.path())).collect();
    assert!(!Arc::ptr_eq(&clients[0], &clients[1]), "another authority");
    assert!(Arc::ptr_eq(&clients[0], &clients[2]), "the same one");
}
