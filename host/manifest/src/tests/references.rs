//! Values from the environment, and what waits for a secret store.

use super::resources;
use crate::{Resources, Secret, Value};

fn component(settings: &str) -> Resources {
    resources(&format!(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: a }}\n\
         spec: {{ type: state.test, metadata: [{settings}] }}\nauth: {{ secretStore: vault }}\n"
    ))
}

fn environment(name: &str) -> Option<String> {
    (name == "HOST").then(|| "db.example.com".to_owned())
}

fn value<'a>(resources: &'a Resources, name: &str) -> &'a Value {
    let value = resources.components[0].metadata.get(name);
    value.expect("the setting is set")
}

#[test]
fn the_environment() {
    let settings =
        "{ name: host, envRef: HOST }, { name: first, value: a }, { name: user, envRef: USR }";
    let mut found = component(settings);
    assert!(found.components[0].metadata.get("host").is_none());
    let problems = found.resolve(&environment);
    let expected = "resources/a.yaml:5:117: spec.metadata.user.envRef: the environment variable `USR` is not set";
    assert_eq!(problems.to_string(), expected);
    assert_eq!(value(&found, "host").reveal(), "db.example.com");
    let names: Vec<&str> = found.components[0]
        .metadata
        .iter()
        .map(|item| item.name.as_str())
        .collect();
    assert_eq!(names, ["host", "first"]);
    let again = found.resolve(&|_| Some("late".to_owned()));
    assert_eq!(
        (again.to_string().as_str(), value(&found, "user").reveal()),
        ("", "late")
    );
}

#[test]
fn a_secret_waits_for_its_store() {
    let settings = "{ name: password, secretKeyRef: { name: redis, key: password } }, { name: token, secretKeyRef: { name: TOKEN } }";
    let mut found = component(settings);
    assert_eq!(found.resolve(&environment).to_string(), "");
    let component = &mut found.components[0];
    let references = component.metadata.references();
    let reported: Vec<_> = references
        .iter()
        .map(|r| [&r.setting, &r.store, &r.name, &r.key].map(String::as_str))
        .collect();
    let expected = [
        ["password", "vault", "redis", "password"],
        ["token", "vault", "TOKEN", "TOKEN"],
    ];
    assert_eq!(reported, expected);
    let problem = references[0].problem(component, "it is not there");
    assert_eq!(
        problem.to_string(),
        "resources/a.yaml:5:70: spec.metadata.password.secretKeyRef: it is not there"
    );
    component
        .metadata
        .resolve(&references[0], Secret::new("hunter2"));
    assert_eq!(component.metadata.references().len(), 1);
    assert!(
        matches!(value(&found, "password"), Value::Secret(secret) if secret.reveal() == "hunter2")
    );
    assert!(!format!("{found:?}").contains("hunter2"));
}
