//! Values from the environment and from secret stores.

use std::fs;
use std::path::Path;

use super::resources;
use crate::{Resources, Value, parse_resources};

const STORES: &str = "
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: env-secrets }
spec: { type: secretstores.local.env, metadata: [{ name: prefix, value: SHOP_ }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: file-secrets }
spec: { type: secretstores.local.file, metadata: [{ name: secretsFile, envRef: SECRETS_FILE }] }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec: { type: secretstores.vault }
";

fn store(name: &str, secret_store: &str, settings: &str) -> String {
    format!(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\n\
         spec: {{ type: state.test, metadata: [{settings}] }}\nauth: {{ secretStore: {secret_store} }}\n"
    )
}

fn environment(name: &str) -> Option<String> {
    match name {
        "HOST" => Some("db.example.com".to_owned()),
        "SHOP_PASSWORD" => Some("hunter2".to_owned()),
        "SECRETS_FILE" => Some("secrets.json".to_owned()),
        _ => None,
    }
}

fn value<'a>(resources: &'a Resources, name: &str) -> &'a Value {
    let mut values = resources
        .components
        .iter()
        .filter_map(|component| component.metadata.get(name));
    values.next_back().expect("the setting is set")
}

#[test]
fn the_environment() {
    let settings =
        "{ name: host, envRef: HOST }, { name: first, value: a }, { name: user, envRef: USR }";
    let mut found = resources(&store("a", "none", settings));
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
fn a_store_in_the_environment() {
    let text = [
        STORES,
        &store(
            "a",
            "env-secrets",
            "{ name: password, secretKeyRef: { name: PASSWORD } }",
        ),
    ]
    .concat();
    let mut found = resources(&text);
    assert_eq!(found.resolve(&environment).to_string(), "");
    assert!(
        matches!(value(&found, "password"), Value::Secret(secret) if secret.reveal() == "hunter2")
    );
    assert!(!format!("{found:?}").contains("hunter2"));
}

#[test]
fn a_store_in_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let json = "{\n\t\"plain\": \"p\\/\\u00e9\\ud83d\\ude00\",\n\t\"redis\": {\n\t\t\"password\" : \"r\",\n\t\t\"ports\": [1, 2.50]\n\t}\n}";
    fs::write(directory.path().join("secrets.json"), json).expect("a file");
    let settings = ["plain", "redis:password", "redis:ports:1"].map(|name| {
        format!("{{ name: '{name}', secretKeyRef: {{ name: '{name}', key: '{name}' }} }}")
    });
    let text = [STORES, &store("a", "file-secrets", &settings.join(", "))].concat();
    let (mut found, problems) = parse_resources(&text, &directory.path().join("a.yaml"));
    assert_eq!(problems.to_string(), "");
    assert_eq!(found.resolve(&environment).to_string(), "");
    assert_eq!(value(&found, "plain").reveal(), "p/é😀");
    assert_eq!(value(&found, "redis:password").reveal(), "r");
    assert_eq!(value(&found, "redis:ports:1").reveal(), "2.50");
}

/// The problems of settings that refer to a file of secrets.
fn told(json: &str, secret_store: &str, settings: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("secrets.json"), json).expect("a file");
    let text = [STORES, &store("a", secret_store, settings)].concat();
    let (mut found, problems) = parse_resources(&text, &directory.path().join("a.yaml"));
    assert_eq!(problems.to_string(), "");
    let prefix = format!("{}/", directory.path().display());
    found.resolve(&environment).to_string().replace(&prefix, "")
}

#[test]
fn what_is_not_found() {
    let reference = |name: &str, key: &str| {
        format!("{{ name: p, secretKeyRef: {{ name: {name}, key: {key} }} }}")
    };
    let place = "a.yaml:21:63: spec.metadata.p.secretKeyRef:";
    let json = "{ \"password\": \"hunter2\" }";
    assert_eq!(
        told(json, "file-secrets", &reference("pasword", "pasword")),
        format!(
            "{place} the secret store `file-secrets` has no secret `pasword`; did you mean `password`?"
        )
    );
    assert_eq!(
        told(json, "file-secrets", &reference("password", "user")),
        format!("{place} the secret `password` has only the key `password`, found `user`")
    );
    assert_eq!(
        told(json, "env-secrets", &reference("TOKEN", "TOKEN")),
        format!("{place} the secret store `env-secrets` has no secret `TOKEN`")
    );
    assert_eq!(
        told(json, "file-secret", &reference("a", "a")),
        format!("{place} no secret store is called `file-secret`; did you mean `file-secrets`?")
    );
    assert_eq!(
        told(json, "vault", &reference("a", "a")),
        format!(
            "{place} the secret store `vault` is `secretstores.vault`; while loading, only `secretstores.local.env` \
             and `secretstores.local.file` can be read"
        )
    );
}

#[test]
fn files_of_secrets_are_not_quoted() {
    let reference =
        "{ name: p, secretKeyRef: { name: a } }, { name: q, secretKeyRef: { name: b } }";
    let wrong = |json: &str| told(json, "file-secrets", reference);
    assert_eq!(
        wrong("{ \"a\": hunter2\": }"),
        "secrets.json:1:16: expected a JSON object of secrets"
    );
    assert_eq!(
        wrong("[\"hunter2\"]"),
        "secrets.json: expected a JSON object of secrets"
    );
    assert_eq!(
        wrong("hunter2"),
        "secrets.json: expected a JSON object of secrets"
    );
    assert_eq!(
        wrong(&" ".repeat(2 << 20)),
        "secrets.json: larger than 1 MiB, which is the most that is read"
    );
}

#[test]
fn a_store_without_its_file() {
    let bare = "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: s }\nspec: { type: secretstores.local.file }\n";
    let text = [
        bare,
        &store("a", "s", "{ name: p, secretKeyRef: { name: a } }"),
    ]
    .concat();
    let (mut found, _) = parse_resources(&text, Path::new("a.yaml"));
    let expected =
        "a.yaml:2:1: spec.metadata: missing `secretsFile`: the file that holds the secrets";
    assert_eq!(found.resolve(&environment).to_string(), expected);
}
