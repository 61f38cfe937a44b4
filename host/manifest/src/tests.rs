//! The files that users write, right and wrong, and exactly what they are told.

mod access;
mod bombs;
mod configurations;
mod directories;
mod documents;
mod front;
mod grants;
mod manifests;
mod manifests_wrong;
mod naming;
mod references;
mod resiliency;
mod resources;
mod resources_wrong;
mod settings;
mod tracing;
mod values;

use std::path::Path;

use crate::{Component, Manifest, Resources, parse_manifest, parse_resources};

/// Parses a text as the named file would be and compares every problem, to the letter.
#[track_caller]
fn check(file: &str, input: &str, expected: &str) {
    let problems = match file {
        "wythe.yaml" => parse_manifest(input, Path::new(file)).1,
        _ => parse_resources(input, Path::new(file)).1,
    };
    assert_eq!(
        problems.to_string(),
        expected.trim(),
        "in this text:\n{input}"
    );
}

#[track_caller]
fn manifest(input: &str) -> Manifest {
    let (manifest, problems) = parse_manifest(input, Path::new("wythe.yaml"));
    assert_eq!(problems.to_string(), "");
    manifest.expect("a manifest without problems")
}

#[track_caller]
fn resources(input: &str) -> Resources {
    let (resources, problems) = parse_resources(input, Path::new("resources/a.yaml"));
    assert_eq!(problems.to_string(), "");
    resources
}

/// A component `store` of type `state.test` with these settings.
#[track_caller]
fn component(settings: &str) -> Component {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: store }\n";
    let text = format!("{head}spec:\n  type: state.test\n  metadata:\n{settings}");
    resources(&text).components.remove(0)
}
