//! The site of a component in tests.

use std::{path::Path, sync::Arc};
use wythe_blocks::{Environment, Site};
use wythe_manifest::load_host_file;

/// A site whose resource files are in this directory.
pub(crate) fn site(directory: &Path) -> Site {
    Site {
        tenant: "default".parse().unwrap(),
        component: "store".into(),
        directory: directory.join("own"),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: Environment::default(),
        terms: None,
        ledger: None,
    }
}

/// A site of a tenant whose operator allows nothing beside its directory.
pub(crate) fn site_of_tenant(directory: &Path) -> Site {
    let (file, _) = load_host_file(directory);
    let site = site(directory);
    Site {
        terms: Some(Arc::new(file.terms(&site.tenant))),
        ..site
    }
}
