//! The suite that native drivers pass, over drivers that are guests.

mod bindings;
mod configuration;
mod crypto;
mod jobs;
mod lock;
mod pubsub;
mod secrets;
mod sockets;
mod state;

use conformance::{Open, Opener};
use futures::FutureExt as _;
use host_tests::guest;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::{Drivers, Registry, Result, Settings, Shared, Site, Tenant};
use wythe_manifest::{Component, parse_resources};
use wythe_runtime::{Options, Runtime, plugin};

pub fn trials() -> Vec<Trial> {
    let groups = [
        bindings::trials(),
        configuration::trials(),
        crypto::trials(),
        jobs::trials(),
        lock::trials(),
        pubsub::trials(),
        secrets::trials(),
        sockets::trials(),
        state::trials(),
    ];
    groups.into_iter().flatten().collect()
}

fn registry() -> Result<(Registry, Arc<Tenant>)> {
    let cache = std::env::var_os("WYTHE_CACHE_DIR").map(Into::into);
    let runtime = Runtime::new(&Options {
        cache,
        ..Options::default()
    })?;
    let settings = Settings::new("default".parse().expect("a name"), "nowhere");
    let tenant = Tenant::new(settings, &Shared::default());
    let mut registry = Registry::default();
    plugin::register(&mut registry, &runtime, &tenant);
    Ok((registry, tenant))
}

fn site(directory: &Path) -> Site {
    Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().expect("a good name"),
        component: "plugged".into(),
        directory: directory.to_owned(),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: wythe_blocks::Environment::default(),
    }
}

/// Opens the plugin that a component names, each time in a runtime of its own.
pub fn opener<D: ?Sized + 'static>(
    drivers: fn(&Registry) -> &Drivers<D>,
    component: Component,
) -> Opener<D> {
    Arc::new(move |directory: &Path| -> Open<D> {
        let (site, component) = (site(directory), component.clone());
        Arc::new(move || {
            let (site, component) = (site.clone(), component.clone());
            async move {
                let (registry, _tenant) = registry()?;
                drivers(&registry).open(&component, site).await
            }
            .boxed()
        })
    })
}

pub fn component(block: &str, file: &str, setting: &str) -> Component {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: plugged }}\nspec:\n  type: {block}.wasm\n  version: v1\n  metadata:\n    - {{ name: path, value: {} }}\n    - {{ name: memory, value: 256MiB }}\n    - {setting}\n",
        guest(file).display()
    );
    let (resources, problems) = parse_resources(&text, Path::new("plugged.yaml"));
    assert!(problems.is_empty(), "{problems}");
    resources
        .components
        .into_iter()
        .next()
        .expect("one component")
}
