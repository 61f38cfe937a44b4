//! The native drivers as a manifest would open them.

use conformance::{Opener, secrets::KEPT, secrets::SEVERAL};
use std::{path::Path, sync::Arc};
use wythe_blocks::{Environment, Registry, Site, jobs, pubsub, secrets, state};
use wythe_manifest::{Component, parse_resources};

pub(crate) fn jobs(driver: &'static str) -> Opener<dyn jobs::Driver> {
    opener(
        component("jobs", driver, ""),
        |registry, component, site| {
            Box::pin(async move { registry.jobs.open(&component, site).await })
        },
    )
}

pub(crate) fn state(driver: &'static str) -> Opener<dyn state::Driver> {
    opener(
        component("state", driver, ""),
        |registry, component, site| {
            Box::pin(async move { registry.state.open(&component, site).await })
        },
    )
}

pub(crate) fn pubsub(driver: &'static str, backlog: usize) -> Opener<dyn pubsub::Driver> {
    let metadata = format!("[{{ name: maxBacklog, value: {backlog} }}]");
    opener(
        component("pubsub", driver, &metadata),
        |registry, component, site| {
            Box::pin(async move { registry.pubsub.open(&component, site).await })
        },
    )
}

/// With the secrets of the suite, wherever the driver looks for them.
pub(crate) fn secrets(driver: &'static str, several: bool) -> Opener<dyn secrets::Driver> {
    let mut tree: serde_json::Map<_, _> = KEPT
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).into()))
        .collect();
    let database = SEVERAL.1.map(|(key, value)| (key.to_owned(), value.into()));
    let database = serde_json::Map::from_iter(database);
    tree.insert(SEVERAL.0.to_owned(), database.into());
    let json = serde_json::Value::Object(tree).to_string();
    let metadata = match driver {
        "local.env" => "[{ name: prefix, value: KEPT_ }]".to_owned(),
        "local.file" => {
            format!(
                "[{{ name: secretsFile, value: secrets.json }}, {{ name: multiValued, value: {several} }}]"
            )
        }
        _ => format!(
            "[{{ name: secrets, value: {} }}, {{ name: multiValued, value: {several} }}]",
            serde_json::Value::from(json.as_str())
        ),
    };
    let component = component("secretstores", driver, &metadata);
    Arc::new(move |directory: &Path| {
        std::fs::write(directory.join("secrets.json"), &json).expect("a file");
        let registry = Arc::new(wythe_drivers::registry());
        let variables = KEPT.map(|(name, value)| (format!("KEPT_{name}"), value.to_owned()));
        let (component, site) = (
            component.clone(),
            Site {
                environment: variables.into_iter().collect(),
                ..site(directory)
            },
        );
        Arc::new(move || {
            let (registry, component, site) = (registry.clone(), component.clone(), site.clone());
            Box::pin(async move { registry.secrets.open(&component, site).await })
        })
    })
}

type Opening<D> = futures::future::BoxFuture<'static, wythe_blocks::Result<Arc<D>>>;

fn opener<D: ?Sized + 'static>(
    component: Component,
    open: fn(Arc<Registry>, Component, Site) -> Opening<D>,
) -> Opener<D> {
    Arc::new(move |directory: &Path| {
        let registry = Arc::new(wythe_drivers::registry());
        let (component, site) = (component.clone(), site(directory));
        Arc::new(move || open(registry.clone(), component.clone(), site.clone()))
    })
}

pub(crate) fn component(block: &str, driver: &str, metadata: &str) -> Component {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\n\
         kind: Component\n\
         metadata: {{ name: subject }}\n\
         spec: {{ type: {block}.{driver}, version: v1, metadata: {metadata} }}\n"
    );
    let (resources, problems) = parse_resources(&text, Path::new("subject.yaml"));
    assert!(problems.is_empty(), "{problems}");
    resources
        .components
        .into_iter()
        .next()
        .expect("a component")
}

fn site(directory: &Path) -> Site {
    Site {
        tenant: "default".parse().expect("a name"),
        component: "subject".into(),
        directory: directory.join("subject"),
        beside: directory.to_owned(),
        environment: Environment::default(),
    }
}
