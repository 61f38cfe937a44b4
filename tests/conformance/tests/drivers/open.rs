//! The native drivers as a manifest would open them.

use conformance::Opener;
use std::{path::Path, sync::Arc};
use wythe_blocks::{Environment, Registry, Site};
use wythe_manifest::{Component, parse_resources};

type Opening<D> = futures::future::BoxFuture<'static, wythe_blocks::Result<Arc<D>>>;

pub(crate) fn opener<D: ?Sized + 'static>(
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

pub(crate) fn site(directory: &Path) -> Site {
    Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().expect("a name"),
        component: "subject".into(),
        directory: directory.join("subject"),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: Environment::default(),
    }
}
