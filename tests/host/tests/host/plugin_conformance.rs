//! The suite that native drivers pass, over drivers that are guests.

use conformance::{Closable, Open, Subject, pubsub, state};
use futures::{FutureExt as _, future::BoxFuture};
use host_tests::guest;
use libtest_mimic::{Failed, Trial};
use std::{path::Path, sync::Arc};
use wythe_blocks::{Host, Registry, Result, Site};
use wythe_manifest::{Component, parse_resources};
use wythe_runtime::{Options, Runtime, plugin};

/// Opens the plugin in an engine of its own, with a directory that it does not know of.
type Opener<D> = fn(&Path) -> Open<D>;

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    let features = features(open_state, |driver| driver.features());
    for case in state::CASES {
        let name = format!("plugins::state::ttl_cache::{}", case.name);
        trials.push(trial(name, (case.needs)(&features), open_state, case.run));
    }
    let features = self::features(open_pubsub, |driver| driver.features());
    for case in pubsub::CASES {
        let name = format!("plugins::pubsub::queue::{}", case.name);
        trials.push(trial(name, (case.needs)(&features), open_pubsub, case.run));
    }
    trials
}

fn trial<D: ?Sized + Closable + 'static>(
    name: String,
    reason: Option<&'static str>,
    open: Opener<D>,
    run: fn(Subject<D>) -> BoxFuture<'static, ()>,
) -> Trial {
    let name = reason.map_or(name.clone(), |reason| format!("{name} ({reason})"));
    Trial::test(name, move || {
        let directory = tempfile::tempdir()?;
        let open = open(directory.path());
        threads()?.block_on(async { run(Subject::start(open).await).await });
        Ok::<(), Failed>(())
    })
    .with_ignored_flag(reason.is_some())
}

fn features<D: ?Sized + Closable, F>(open: Opener<D>, read: impl Fn(&D) -> F) -> F {
    let directory = tempfile::tempdir().expect("a directory");
    let threads = threads().expect("a runtime");
    threads.block_on(async { read(&*Subject::start(open(directory.path())).await.driver()) })
}

fn threads() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
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
