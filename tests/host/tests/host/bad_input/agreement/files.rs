//! Wrong files that a project names, each with everything that is told of it.

use super::{HELLO, compare};
use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, guest};
use libtest_mimic::Trial;

const VAULT: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec:
  type: secretstores.local.file
  version: v1
  metadata:
    - { name: secretsFile, value: ../secrets.json }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("bad_input::validate_and_run_agree::plugins", plugins),
        case("bad_input::validate_and_run_agree::workflows", workflows),
        case(
            "bad_input::validate_and_run_agree::release_candidates",
            candidates,
        ),
        case(
            "bad_input::validate_and_run_agree::files_that_are_none",
            irregular,
        ),
        case(
            "bad_input::validate_and_run_agree::secrets_of_one_name",
            clash,
        ),
    ]
}

fn plugin(name: &str, kind: &str, guest_name: &str, more: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec:\n  type: {kind}.wasm\n  \
         version: v1\n  metadata:\n    - {{ name: path, value: {} }}\n{more}---\n",
        guest(guest_name).display()
    )
}

/// An app, a plugin of another block, and a file of another digest.
async fn plugins() -> Result<()> {
    let resources = plugin("app", "state", "catalog", "")
        + &plugin("other", "lock", "ttl_cache", "")
        + &plugin(
            "digest",
            "state",
            "ttl_cache",
            "    - { name: sha256, value: 00ff }\n",
        );
    let reported = Project::new(HELLO)
        .with("memory", MEMORY)
        .with("all", &resources)
        .located_problems()
        .await;
    ensure!(reported.len() == 3, "{reported:?}");
    for (reported, (place, what)) in reported.iter().zip([
        (
            "resources/all.yaml:8:28: component `app`: ",
            "is no plugin of the world wythe:plugin/state-plugin@0.1.0",
        ),
        (
            "resources/all.yaml:17:28: component `other`: ",
            "is no plugin of the world wythe:plugin/lock-plugin@0.1.0",
        ),
        (
            "resources/all.yaml:26:28: component `digest`: ",
            "; expected 00ff",
        ),
    ]) {
        ensure!(
            reported.starts_with(place) && reported.contains(what),
            "{reported}"
        );
    }
    Ok(())
}

async fn workflows() -> Result<()> {
    let file =
        r#"(component (instance $i) (export "wythe:blocks/workflow-handler@0.1.0" (instance $i)))"#;
    let project = Project::new("  - appID: flow\n    guest: ./flow.wasm\n    env: { RATE: '3' }\n");
    project.write("flow.wasm", wat::parse_str(file)?);
    let expected = "wythe.yaml:4:5: app `flow` has workflows and `env`, which may change before their code runs again; hand it on in the input";
    compare(&project.located_problems().await, &[expected])
}

async fn candidates() -> Result<()> {
    let import = r#"(import "wasi:clocks/monotonic-clock@0.3.0-rc-2026-03-15" (instance (export "x" (func))))"#;
    let export = r#"(instance $i) (export "wasi:http/handler@0.3.0-rc-2026-03-15" (instance $i))"#;
    let file = format!("(component {import} {export})");
    let project = Project::new("  - appID: app\n    guest: ./app.wasm\n    ingress: /\n");
    project.write("app.wasm", wat::parse_str(file)?);
    let expected = [
        "wythe.yaml:4:5: app `app` imports `wasi:clocks/monotonic-clock@0.3.0-rc-2026-03-15`, which this host does not have; it has `wasi:clocks/monotonic-clock` in version 0.2.12 and 0.3.0",
        "wythe.yaml:4:5: app `app` exports `wasi:http/handler@0.3.0-rc-2026-03-15`, which this host does not call; it has `wasi:http/handler` in version 0.3.0",
    ];
    compare(&project.located_problems().await, &expected)
}

/// A FIFO, a device and a link out of the project: none is read, and none holds anything up.
async fn irregular() -> Result<()> {
    let apps = "\
  - appID: fifo
    guest: ./fifo.wasm
  - appID: device
    guest: ./device.wasm
  - appID: outer
    guest: ./outer.wasm
";
    let project = Project::new(apps).with("vault", VAULT);
    let at = |name: &str| project.path().join(name);
    let made = std::process::Command::new("mkfifo")
        .arg(at("fifo.wasm"))
        .status()?;
    ensure!(made.success());
    std::os::unix::fs::symlink("/dev/zero", at("device.wasm"))?;
    std::os::unix::fs::symlink(guest("hello"), at("outer.wasm"))?;
    std::os::unix::fs::symlink("/dev/zero", at("secrets.json"))?;
    let out = "a link leads out of the directory that it belongs to; write the path that is meant instead";
    let expected = [
        format!("resources/vault.yaml:1:1: component `vault`: the secrets file `resources/../secrets.json` cannot be read: {out}"),
        "wythe.yaml:4:5: the component file fifo.wasm cannot be read: a FIFO; expected a regular file".to_owned(),
        format!("wythe.yaml:6:5: the component file device.wasm cannot be read: {out}"),
        format!("wythe.yaml:8:5: the component file outer.wasm cannot be read: {out}"),
    ];
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    compare(&project.located_problems().await, &expected)
}

async fn clash() -> Result<()> {
    let project = Project::new(HELLO)
        .with("memory", MEMORY)
        .with("vault", VAULT);
    project.write(
        "secrets.json",
        r#"{ "db": { "user": "u" }, "db:user": "a canary" }"#,
    );
    let expected = "resources/vault.yaml:1:1: component `vault`: the secrets file `resources/../secrets.json`: `user` in `db` and `db:user` both have the name `db:user`; rename one of them, or choose another separator";
    compare(&project.located_problems().await, &[expected])
}
