//! `httpPipeline`: what a request from outside goes through before an app is asked.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use http::Method;
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        case("pipeline::a_request_is_refused_by_a_rule", refused),
        case("pipeline::a_path_has_another_name", renamed),
        case("pipeline::a_client_has_its_rate", rated),
        case("pipeline::handlers_that_are_not_there", absent),
    ]
}

const APPS: &str = "\
  - appID: echo
    guest: echo.wasm
    ingress: /echo
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub/echo], invoke: [plain] }
  - appID: plain
    guest: plain.wasm
    ingress: /plain
";

/// A project whose requests go through these handlers, each a type and its metadata.
fn project(handlers: &[(&str, &str)]) -> Project {
    let mut text = String::new();
    let mut names = Vec::new();
    for (number, (kind, metadata)) in handlers.iter().enumerate() {
        text += &format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: step{number} }}\n\
             spec:\n  type: middleware.http.{kind}\n  version: v1\n  metadata: {metadata}\n---\n"
        );
        names.push(format!(
            "{{ name: step{number}, type: middleware.http.{kind} }}"
        ));
    }
    text += &format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: way }}\n\
         spec: {{ httpPipeline: {{ handlers: [{}] }} }}\n",
        names.join(", ")
    );
    Project::new(APPS)
        .with("memory", MEMORY)
        .with("pipeline", &text)
}

async fn refused() -> Result<()> {
    let project = project(&[
        (
            "routerchecker",
            "[{ name: rule, value: '^/(echo|plain)[a-z/]*$' }]",
        ),
        ("uppercase", "[]"),
    ]);
    let running = project.start().await?;
    let answer = running.get("/plain").await?;
    ensure!((answer.status, answer.text().as_str()) == (200, "hello\n"));
    let answer = running.get("/plain/7").await?;
    ensure!(answer.status == 400, "{}", answer.text());
    let expected = "`step0`: the target /plain/7 does not match `rule`";
    ensure!(answer.message() == expected, "{}", answer.message());
    let answer = running.send(Method::POST, "/echo", &[], "hello").await?;
    ensure!(answer.status == 200, "{}", answer.text());
    ensure!(answer.text().contains("HELLO"), "{}", answer.text());
    ensure!(running.stop().await);
    Ok(())
}

/// What the app is asked is what the last handler made of the target; nothing of before is left.
async fn renamed() -> Result<()> {
    let routes = "'{\"/shop/{id}\": \"/plain/item\", \"/away\": \"/nobody\"}'";
    let project = project(&[(
        "routeralias",
        &format!("[{{ name: routes, value: {routes} }}]"),
    )]);
    let running = project.start().await?;
    ensure!(running.get("/plain").await?.text() == "hello\n");
    ensure!(running.get("/shop/7").await?.text() == "hello\n");
    let answer = running.get("/shop/7/8").await?;
    ensure!(answer.status == 404, "{}", answer.text());
    let answer = running.get("/away").await?;
    let expected = "no app answers /nobody; see `ingress` in the manifest";
    ensure!(answer.message() == expected, "{}", answer.message());
    // A path that could be read in two ways comes to no handler.
    ensure!(running.get("/shop/%2e%2e").await?.status == 400);
    ensure!(running.stop().await);
    Ok(())
}

async fn rated() -> Result<()> {
    let metadata = "[{ name: maxRequestsPerSecond, value: '0.01' }]";
    let running = project(&[("ratelimit", metadata)]).start().await?;
    ensure!(running.get("/plain").await?.status == 200);
    let answer = running.get("/plain").await?;
    ensure!(answer.status == 429, "{}", answer.text());
    let after: u64 = answer.header("retry-after").unwrap_or_default().parse()?;
    ensure!((90..=100).contains(&after), "{after}");
    let expected = "`step0`: more requests of 127.0.0.1 than `maxRequestsPerSecond`";
    ensure!(answer.message() == expected, "{}", answer.message());
    ensure!(running.stop().await);
    Ok(())
}

/// Every handler is there as it is named, and every type is known; else nothing starts.
async fn absent() -> Result<()> {
    let project = Project::new(APPS).with("memory", MEMORY).with(
        "pipeline",
        "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: limit }
spec: { type: middleware.http.ratelimit, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: idle }
spec: { type: middleware.http.uppercase, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: policy }
spec: { type: middleware.http.opa, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: way }
spec:
  httpPipeline:
    handlers:
    - { name: limt, type: middleware.http.ratelimit }
    - { name: limit, type: middleware.http.bearer }
    - { name: policy, type: middleware.http.opa }
    - { name: statestore, type: middleware.http.wasm }
",
    );
    let expected = [
        "warning: resources/pipeline.yaml:6:1: spec.type: no effect: `idle` is in no pipeline; name it in `httpPipeline.handlers` of a `Configuration`",
        "resources/pipeline.yaml:11:1: component `policy`: `middleware.http.opa` is not in this build",
        "resources/pipeline.yaml:22:7: spec.httpPipeline.handlers: no middleware component is called `limt`; did you mean `limit`?",
        "resources/pipeline.yaml:23:7: spec.httpPipeline.handlers: `limit` is of the type `middleware.http.ratelimit` at resources/pipeline.yaml:1; expected that, found `middleware.http.bearer`",
        "resources/pipeline.yaml:25:7: spec.httpPipeline.handlers: `statestore` is a component of state; expected one of middleware",
    ];
    let found = project.located_problems().await;
    for expected in expected {
        ensure!(
            found.iter().any(|one| one.starts_with(expected)),
            "{expected}\n{found:#?}"
        );
    }
    Ok(())
}
