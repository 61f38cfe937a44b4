//! Changes and tenants that are wrong: each is refused alone, told with file and line, and nothing else changes.

use super::root::{HELLO, MEMORY, Root, Served};
use crate::case;
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use std::{fs, os::unix::fs::symlink, path::Path};

pub fn trials() -> Vec<Trial> {
    vec![
        case(
            "serve::a_wrong_change_changes_nothing_until_it_is_mended",
            change,
        ),
        case("serve::a_change_that_cannot_be_done_is_undone", undone),
        case("serve::each_wrong_tenant_is_refused_alone", refused),
        case(
            "serve::a_tenant_reaches_nothing_outside_of_its_directory",
            outside,
        ),
        case(
            "serve::an_operators_file_that_is_no_yaml_keeps_the_host_from_starting",
            unreadable,
        ),
    ]
}

/// Visits of the tenant `shop`, which must go on whatever happens to others.
async fn visit(served: &Served, visitor: u32) -> Result<()> {
    let said = served.said("localhost", "/shop/").await?;
    ensure!(said == format!("hello, visitor {visitor}\n"), "{said}");
    Ok(())
}

async fn change() -> Result<()> {
    let root = Root::new();
    root.hello("shop");
    let served = root.serve(&[])?;
    visit(&served, 1).await?;
    let ready = served.ready().await?;
    ensure!(ready.status == 200 && ready.text() == "ok\n", "{ready:?}");
    // A second app whose guest is not there, and a component that is misspelt: all of it is refused.
    let missing = "  - appID: other\n    guest: other.wasm\n";
    root.write("shop/wythe.yaml", format!("{HELLO}{missing}"));
    let problems = served.problems_until(1).await?;
    let found = problems[0].starts_with("shop: shop/wythe.yaml:7:5: no component file at ");
    ensure!(found, "{problems:?}");
    visit(&served, 2).await?;
    let typo = MEMORY.replace("type: state.memory", "type: state.memroy");
    root.write("shop/wythe.yaml", HELLO);
    root.write("shop/resources/memory.yaml", &typo);
    let mut problems = Vec::new();
    for _ in 0..300 {
        problems = served.problems()?;
        if problems.iter().any(|problem| problem.contains("memroy")) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let found = problems.len() == 1 && problems[0].starts_with("shop: shop/resources/memory.yaml:");
    ensure!(found, "{problems:?}");
    visit(&served, 3).await?;
    let ready = served.ready().await?;
    let reported = "the last change of `shop` is not in force: 1 problems; see `wythe status`";
    ensure!(
        ready.status == 200 && ready.text() == format!("ok\n{reported}\n"),
        "{ready:?}"
    );
    root.write("shop/resources/memory.yaml", MEMORY);
    ensure!(served.problems_until(0).await?.is_empty());
    ensure!(served.ready().await?.text() == "ok\n");
    visit(&served, 4).await
}

/// A change that is good as it is written, and cannot be done: the part that was done is undone.
async fn undone() -> Result<()> {
    let root = Root::new();
    root.hello("shop");
    let served = root.serve(&[])?;
    visit(&served, 1).await?;
    let first = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: first }
spec: { type: configuration.memory, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: second }
spec:
  type: crypto.local.keys
  version: v1
  metadata: [{ name: path, value: keys }]
";
    root.write("shop/resources/more.yaml", first);
    let problems = served.problems_until(1).await?;
    ensure!(problems[0].contains("component `second`"), "{problems:?}");
    let status = served.json("status")?;
    let count = status["components"].as_array().map(Vec::len);
    ensure!(count == Some(2), "{status}");
    visit(&served, 2).await?;
    fs::create_dir(root.path().join("shop/resources/keys"))?;
    // What it needs is there now: it is tried again.
    ensure!(served.problems_until(0).await?.is_empty());
    let status = served.json("status")?;
    ensure!(
        status["components"].as_array().map(Vec::len) == Some(4),
        "{status}"
    );
    visit(&served, 3).await
}

const DOCUMENTS: &str = "\
apiVersion: wythe/v1
kind: Tenant
metadata: { name: one }
spec: { hosts: [one.example] }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: two }
spec: { hosts: [one.example] }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: typo }
spec: { quotas: { memroy: 1MiB } }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: greedy }
spec: { quotas: { app: { memory: 32MiB } } }
";

async fn refused() -> Result<()> {
    let (root, elsewhere) = (Root::new(), tempfile::tempdir()?);
    for tenant in ["shop", "one", "two", "typo", "greedy"] {
        root.hello(tenant);
    }
    root.write(
        "greedy/wythe.yaml",
        format!("{HELLO}    limits: {{ memory: 64MiB }}\n"),
    );
    root.write("wythe-host.yaml", DOCUMENTS);
    fs::create_dir(root.path().join("empty"))?;
    fs::create_dir(root.path().join("No_Label"))?;
    fs::create_dir(root.path().join(".hidden"))?;
    symlink(elsewhere.path(), root.path().join("link"))?;
    root.write("README.md", "no tenant");
    let served = root.serve(&[])?;
    let problems = served.problems_until(6).await?;
    let expected = [
        "No_Label: No_Label: the directory of a tenant has its name: `No_Label` is not a name:",
        "empty: empty: there is no `wythe.yaml` and no `dapr.yaml` in this directory",
        "greedy: greedy/wythe.yaml:7:23: limits.memory: 64MiB is over the operator's quota of 32MiB: wythe-host.yaml:19",
        "link: link: a link that leads out of ",
        "two: wythe-host.yaml:9:16: spec.hosts: the host name `one.example` is that of tenant `one` in wythe-host.yaml:4",
        "typo: wythe-host.yaml:14:19: spec.quotas.memroy: unknown key; expected one of ",
    ];
    for (problem, expected) in problems.iter().zip(expected) {
        ensure!(problem.starts_with(expected), "{problem}\n{expected}");
    }
    visit(&served, 1).await?;
    ensure!(served.said("one.example", "/").await? == "hello, visitor 1\n");
    for tenant in ["two", "typo", "greedy"] {
        ensure!(served.said("localhost", &format!("/{tenant}/")).await? == "404");
    }
    // Each is served once it is mended, and the others did not notice.
    root.write("empty/wythe.yaml", "version: 1\napps: []\n");
    root.write("greedy/wythe.yaml", HELLO);
    let problems = served.problems_until(4).await?;
    served
        .until("localhost", "/greedy/", "hello, visitor 1")
        .await?;
    ensure!(problems[0].starts_with("No_Label: "), "{problems:?}");
    visit(&served, 2).await
}

/// Tenants of which each names something that is not its own, and what is told of it.
const OUTSIDE: [(&str, &str); 7] = [
    (
        "egress: egress/wythe.yaml:6:",
        "the operator does not allow requests to `example.com`: wythe-host.yaml",
    ),
    (
        "environment: environment/resources/more.yaml:7:",
        "the environment variable `PATH` is not set",
    ),
    ("guest: guest/wythe.yaml:3:5: ", NOT_ITS_OWN),
    ("linked: linked/wythe.yaml:3:5: ", NOT_ITS_OWN),
    (
        "outbound: outbound/resources/more.yaml:1:1: ",
        "the operator does not allow `bindings.http`: wythe-host.yaml",
    ),
    ("resources: resources/wythe.yaml:2:28: ", NOT_ITS_OWN),
    ("secrets: secrets/resources/more.yaml:1:1: ", NOT_ITS_OWN),
];
const NOT_ITS_OWN: &str = "is outside of the tenant's directory, which the operator does not allow";

fn component(kind: &str, setting: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: more }}\nspec:\n  type: {kind}\n  \
         version: v1\n  metadata: [{{ {setting} }}]\n"
    )
}

/// Writes the tenants of [`OUTSIDE`]; `away` is a directory elsewhere.
fn write_outside(root: &Root, away: &Path) -> Result<()> {
    let shown = away.display();
    let names = [
        "guest",
        "resources",
        "linked",
        "secrets",
        "egress",
        "outbound",
        "environment",
    ];
    names.iter().for_each(|tenant| root.hello(tenant));
    let guest = HELLO.replace("hello.wasm", &format!("{shown}/a.wasm"));
    root.write("guest/wythe.yaml", guest);
    let paths = format!("common: {{ resourcesPaths: [\"{shown}\"] }}\napps:");
    root.write("resources/wythe.yaml", HELLO.replace("apps:", &paths));
    fs::remove_file(root.path().join("linked/hello.wasm"))?;
    symlink(
        away.join("secrets.json"),
        root.path().join("linked/hello.wasm"),
    )?;
    let file = format!("name: secretsFile, value: \"{shown}/secrets.json\"");
    let file = component("secretstores.local.file", &file);
    root.write("secrets/resources/more.yaml", file);
    let grants = HELLO.replace("grants: {", "grants: { http: [example.com],");
    root.write("egress/wythe.yaml", grants);
    let url = component(
        "bindings.http",
        "name: url, value: \"http://169.254.169.254/\"",
    );
    root.write("outbound/resources/more.yaml", url);
    let variable = component("state.memory", "name: keyPrefix, envRef: PATH");
    root.write("environment/resources/more.yaml", variable);
    Ok(())
}

async fn outside() -> Result<()> {
    let (root, elsewhere) = (Root::new(), tempfile::tempdir()?);
    fs::write(
        elsewhere.path().join("secrets.json"),
        "{\"password\": \"x\"}",
    )?;
    root.hello("shop");
    write_outside(&root, elsewhere.path())?;
    let served = root.serve(&[])?;
    let problems = served.problems_until(OUTSIDE.len()).await?;
    for (about, part) in OUTSIDE {
        let is_it = |problem: &String| problem.starts_with(about) && problem.contains(part);
        ensure!(problems.iter().any(is_it), "{about}{part}: {problems:#?}");
    }
    visit(&served, 1).await?;
    let away = elsewhere.path().display();
    root.write(
        "wythe-host.yaml",
        format!(
            "apiVersion: wythe/v1\nkind: Tenant\nspec:\n  allow:\n    paths: [\"{away}\"]\n    http: [example.com]\n"
        ),
    );
    // What is allowed is served.
    served
        .until("localhost", "/egress/", "hello, visitor 1")
        .await?;
    served
        .until("localhost", "/secrets/", "hello, visitor 1")
        .await?;
    visit(&served, 2).await
}

async fn unreadable() -> Result<()> {
    let root = Root::new();
    root.hello("shop");
    root.write("wythe-host.yaml", "apiVersion: [\n");
    let error = root.serve(&[]).err().map(|error| error.to_string());
    let reported = error.unwrap_or_default();
    ensure!(reported.contains("wythe-host.yaml"), "{reported}");
    root.write("wythe-host.yaml", "");
    let served = root.serve(&[])?;
    visit(&served, 1).await?;
    // Once it serves, the file as it was stays in force.
    root.write("wythe-host.yaml", "apiVersion: [\n");
    let problems = served.problems_until(1).await?;
    ensure!(
        problems[0].starts_with("wythe-host.yaml: wythe-host.yaml:"),
        "{problems:?}"
    );
    visit(&served, 2).await
}
