//! The suite that native drivers pass, over drivers that are guests.

use conformance::{Open, Opener, features, pubsub, state, trial};
use futures::FutureExt as _;
use host_tests::guest;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::{Host, Registry, Result, Site};
use wythe_manifest::{Component, parse_resources};
use wythe_runtime::{Options, Runtime, plugin};

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let open: Opener<dyn wythe_blocks::state::Driver> = Arc::new(open_state);
    let abilities = features(&open, |driver| driver.features());
    for case in state::CASES {
        let name = format!("plugins::state::ttl_cache::{}", case.name);
        trials.push(trial(
            name,
            (case.needs)(&abilities),
            open.clone(),
            case.run,
        ));
    }
    let open: Opener<dyn wythe_blocks::pubsub::Driver> = Arc::new(open_pubsub);
    let abilities = features(&open, |driver| driver.features());
    for case in pubsub::CASES {
        let name = format!("plugins::pubsub::queue::{}", case.name);
        trials.push(trial(
            name,
            (case.needs)(&abilities),
            open.clone(),
            case.run,
        ));
    }
    trials
}

fn open_state(directory: &Path) -> Open<dyn wythe_blocks::state::Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let component = component("state", "ttl_cache", "{ name: maxEntries, value: 100000 }");
            registry.state.open(&component, site).await
        }
        .boxed()
    })
}

fn open_pubsub(directory: &Path) -> Open<dyn wythe_blocks::pubsub::Driver> {
    let site = site(directory);
    Arc::new(move || {
        let site = site.clone();
        async move {
            let (registry, _host) = registry()?;
            let backlog = format!("{{ name: maxBacklog, value: {} }}", pubsub::BACKLOG);
            registry
                .pubsub
                .open(&component("pubsub", "queue", &backlog), site)
                .await
        }
        .boxed()
    })
}

fn registry() -> Result<(Registry, Arc<Host>)> {
    let cache = std::env::var_os("WYTHE_CACHE_DIR").map(Into::into);
    let runtime = Runtime::new(&Options {
        cache,
        ..Options::default()
    })?;
    let host = Arc::new(Host::default());
    let mut registry = Registry::default();
    plugin::register(&mut registry, &runtime, &host);
    Ok((registry, host))
}

fn site(directory: &Path) -> Site {
    Site {
        tenant: "default".parse().expect("a good name"),
        component: "plugged".into(),
        directory: directory.to_owned(),
        beside: directory.to_owned(),
        environment: wythe_blocks::Environment::default(),
    }
}

fn component(block: &str, file: &str, setting: &str) -> Component {
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
