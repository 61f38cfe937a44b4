//! Secrets in a whole host: who may use them, who may see them, and that nobody else ever does.

mod canary;

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, guest};
use libtest_mimic::Trial;

const APPS: &str = "\
  - appID: secrets
    guest: secrets.wasm
    ingress: /
    grants: { secrets: [vault], reveal: [vault/shown, vault/several] }
";

const FILE: &str =
    r#"{ "shown": "see me", "hidden": "do not", "several": { "user": "u", "password": "p" } }"#;

const VAULT: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec:
  type: secretstores.local.file
  metadata:
    - { name: secretsFile, value: ../secrets.json }
    - { name: multiValued, value: true }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("secrets::an_app_uses_and_sees_what_it_is_granted", granted),
        case("secrets::scopes_of_a_configuration_hold", scopes),
        case("secrets::a_reference_is_served_by_a_plugin", references),
        case("secrets::a_file_is_read_again_when_it_changes", rotated),
        case("secrets::a_file_that_becomes_none_holds_nobody_up", fifo),
        case("secrets::bad_input_is_told", bad_input),
        case(
            "secrets::no_secret_ever_gets_out",
            canary::no_secret_gets_out,
        ),
    ]
}

fn project(file: &str) -> Project {
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("vault", VAULT);
    project.write("secrets.json", file);
    project
}

async fn granted() -> Result<()> {
    let running = project(FILE).start().await?;
    for (path, status, expected) in [
        ("/names", 200, r#"["hidden","several","shown"]"#),
        ("/exists?name=hidden", 200, "true"),
        ("/exists?name=nothing", 200, "false"),
        ("/reveal?name=shown", 200, "shown see me\n"),
        ("/reveal?name=several", 200, "password p\nuser u\n"),
    ] {
        let answer = running.get(path).await?;
        ensure!(
            (answer.status, answer.text().as_str()) == (status, expected),
            "{path}: {answer:?}"
        );
    }
    for (path, status, message) in [
        (
            "/reveal?name=hidden",
            403,
            "app `secrets` is not granted to see the secret `hidden` of `vault`; add it to `grants: { reveal: [vault/hidden] }` at wythe.yaml:4",
        ),
        (
            "/exists?store=other&name=a",
            403,
            "app `secrets` is not granted the secret `a` of `other`; add it to `grants: { secrets: [other/a] }` at wythe.yaml:4",
        ),
    ] {
        let answer = running.get(path).await?;
        ensure!(
            (answer.status, answer.message().as_str()) == (status, message),
            "{path}: {answer:?}"
        );
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn scopes() -> Result<()> {
    let scoped = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: scoped }
spec:
  secrets:
    scopes:
      - { storeName: vault, defaultAccess: allow, deniedSecrets: [shown] }
";
    let running = project(FILE).with("scoped", scoped).start().await?;
    let names = running.get("/names").await?.text();
    ensure!(names == r#"["hidden","several"]"#, "{names}");
    let answer = running.get("/reveal?name=shown").await?;
    ensure!(answer.status == 403, "{answer:?}");
    ensure!(
        answer.message()
            == "the secret `shown` of `vault` is denied; see `secrets.scopes` of the Configuration at scoped.yaml:7",
        "{answer:?}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// A component of another block gets its setting from a store that is a plugin.
async fn references() -> Result<()> {
    let resources = |name: &str| {
        format!(
            "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: plugged }}
spec:
  type: secretstores.wasm
  metadata:
    - {{ name: path, value: {} }}
    - {{ name: backlog, value: \"77\" }}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: events }}
spec:
  type: pubsub.memory
  metadata:
    - {{ name: maxBacklog, secretKeyRef: {{ name: {name} }} }}
auth: {{ secretStore: plugged }}
",
            guest("strongbox").display()
        )
    };
    let running = project(FILE)
        .with("plugged", &resources("backlog"))
        .start()
        .await?;
    ensure!(running.stop().await, "not everything finished");
    let problems = project(FILE)
        .with("plugged", &resources("backlgo"))
        .problems()
        .await;
    ensure!(
        problems.len() == 1
            && problems[0].contains("spec.metadata.maxBacklog.secretKeyRef")
            && problems[0].contains("has no secret `backlgo`")
            && problems[0].contains("did you mean `backlog`?"),
        "{problems:?}"
    );
    Ok(())
}

async fn rotated() -> Result<()> {
    let project = project(r#"{ "shown": "first" }"#);
    let running = project.start().await?;
    ensure!(running.get("/reveal?name=shown").await?.text() == "shown first\n");
    // A broken file changes nothing; the next good one is read.
    project.write("secrets.json", "{ \"shown\": \"secon");
    ensure!(running.get("/reveal?name=shown").await?.text() == "shown first\n");
    project.write("secrets.json", r#"{ "shown": "the third" }"#);
    ensure!(running.get("/reveal?name=shown").await?.text() == "shown the third\n");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// Both of the runtime's threads ask at once while nothing can be read, and nobody waits for long.
async fn fifo() -> Result<()> {
    let project = project(r#"{ "shown": "first" }"#);
    let running = project.start().await?;
    let file = project.path().join("secrets.json");
    std::fs::remove_file(&file)?;
    ensure!(
        std::process::Command::new("mkfifo")
            .arg(&file)
            .status()?
            .success()
    );
    let asked = (0..4).map(|_| running.get("/reveal?name=shown"));
    for answer in futures::future::try_join_all(asked).await? {
        ensure!(answer.text() == "shown first\n", "{answer:?}");
    }
    std::fs::remove_file(&file)?;
    project.write("secrets.json", r#"{ "shown": "the third" }"#);
    ensure!(running.get("/reveal?name=shown").await?.text() == "shown the third\n");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn bad_input() -> Result<()> {
    let reported = project("{ \"shown\": \"a canary\",, }").problems().await;
    ensure!(
        reported.len() == 1
            && reported[0].contains("secrets.json")
            && !reported[0].contains("a canary"),
        "{reported:?}"
    );
    let unknown = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: scoped }
spec: { secretz: {} }
";
    let reported = project(FILE).with("scoped", unknown).problems().await;
    ensure!(
        reported.len() == 1
            && reported[0].contains("spec.secretz: unknown key")
            && reported[0].contains("`secrets`"),
        "{reported:?}"
    );
    let missing = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: events }
spec:
  type: pubsub.memory
  metadata:
    - { name: maxBacklog, secretKeyRef: { name: a } }
auth: { secretStore: vualt }
";
    let reported = project(FILE).with("events", missing).problems().await;
    ensure!(
        reported.len() == 1
            && reported[0].contains("no secret store is called `vualt`")
            && reported[0].contains("did you mean `vault`?"),
        "{reported:?}"
    );
    Ok(())
}
