//! `appHttpPipeline`: handlers before one app, whoever asks it.

use super::{APPS, got, sample};
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use http::Method;

/// Handlers before `plain` that are guests, and before `echo` that write in capitals.
fn resources() -> String {
    let component = |name: &str, kind: &str, metadata: &str| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\n\
             spec: {{ type: middleware.http.{kind}, version: v1, metadata: [{metadata}] }}\n---\n"
        )
    };
    let before = |app: &str, name: &str, kind: &str| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: before-{app} }}\n\
             spec: {{ appHttpPipeline: {{ handlers: [{{ name: {name}, type: middleware.http.{kind} }}] }} }}\n\
             scopes: [{app}]\n---\n"
        )
    };
    let gate = format!(
        "{{ name: {} }}, {{ name: refuse, value: /closed }}",
        sample("gatekeeper")
    );
    [
        component("gate", "wasm", &gate),
        component("capitals", "uppercase", ""),
        before("plain", "gate", "wasm"),
        before("echo", "capitals", "uppercase"),
    ]
    .concat()
}

pub async fn asked() -> Result<()> {
    let apps = APPS.replace("ingress: /echo", "ingress: /");
    let project = Project::new(&apps)
        .with("memory", MEMORY)
        .with("before", &resources());
    let running = project.start().await?;
    // From outside.
    let answer = running.get("/plain").await?;
    ensure!((answer.status, answer.header("x-gate")) == (200, Some("passed")));
    let answer = running.send(Method::POST, "/echo/a", &[], "hello").await?;
    ensure!(answer.json()["body"] == "HELLO", "{}", answer.text());
    ensure!(
        got(&answer.json(), "x-gate").is_empty(),
        "{}",
        answer.text()
    );
    // By another app, without HTTP on its side.
    for (path, expected) in [("/a", 200), ("/closed", 403), ("/closed/b", 403)] {
        let answer = running
            .get(&format!("/chain?app=plain&path={path}"))
            .await?;
        ensure!(answer.status == expected, "{path}: {}", answer.text());
    }
    ensure!(running.stop().await);
    Ok(())
}
