//! `httpPipeline`: what a request from outside goes through before an app is asked.

use crate::{
    case,
    crash::{command, start},
};
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use std::time::Duration;

pub fn trials() -> Vec<Trial> {
    vec![
        case("pipeline::a_request_is_refused_by_a_rule", refused),
        case("pipeline::a_path_has_another_name", renamed),
        case("pipeline::a_client_has_its_rate", rated),
        case("pipeline::handlers_that_are_not_there", absent),
        case("pipeline::other_handlers_are_in_force_at_once", changed),
        case("pipeline::a_request_shows_the_token_of_the_project", token),
        case(
            "pipeline::scripts_of_other_origins_are_answered_by_the_host",
            origins,
        ),
        case("pipeline::tokens_of_an_issuer", bearer),
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
    Project::new(APPS)
        .with("memory", MEMORY)
        .with("pipeline", &resources(handlers))
}

/// The components of these handlers, and the document that puts them in order.
fn resources(handlers: &[(&str, &str)]) -> String {
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
    text
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

/// The last handler says what the app is asked; nothing of the target before is left.
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

const ABSENT: &str = "apiVersion: dapr.io/v1alpha1
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
";

/// Every handler is there as it is named, and every type is known; else nothing starts.
async fn absent() -> Result<()> {
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("pipeline", ABSENT);
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

/// Handlers that are written otherwise while the host runs are those of the next request; a wrong change is none.
async fn changed() -> Result<()> {
    let handlers = |rule: &str| {
        [(
            "routerchecker",
            format!("[{{ name: rule, value: '{rule}' }}]"),
        )]
    };
    let of = |rule: &str| {
        let handlers = handlers(rule);
        let handlers: Vec<_> = handlers
            .iter()
            .map(|(kind, text)| (*kind, text.as_str()))
            .collect();
        resources(&handlers)
    };
    let project = Project::new(APPS).with("memory", MEMORY);
    project.write("resources/pipeline.yaml", of("^/plain$"));
    let mut process = start(command(), project.path(), &["--watch"])?;
    let client = client();
    let status = async |path: &str| -> Result<u16> {
        let url = format!("{}{path}", process.url);
        Ok(request(&client, Method::GET, &url, &[], "").await?.status)
    };
    ensure!(status("/plain").await? == 200);
    ensure!(status("/echo").await? == 400);
    project.write("resources/pipeline.yaml", of("^/echo$"));
    until(async || Ok(status("/echo").await? == 200)).await?;
    ensure!(status("/plain").await? == 400);
    project.write("resources/pipeline.yaml", of("("));
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(status("/echo").await? == 200 && status("/plain").await? == 400);
    // Without handlers everything passes.
    std::fs::remove_file(project.path().join("resources/pipeline.yaml"))?;
    until(async || Ok(status("/plain").await? == 200)).await?;
    Ok(process.child.kill()?)
}

/// Waits for what a change brings about, which takes a moment.
async fn until(is: impl AsyncFn() -> Result<bool>) -> Result<()> {
    for _ in 0..600 {
        if is().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("not within a minute")
}

async fn token() -> Result<()> {
    let project = Project::new(APPS).with("memory", MEMORY);
    let mut own = command();
    own.env("DAPR_API_TOKEN", "s3cret-of-this-test");
    let mut process = start(own, project.path(), &[])?;
    let (client, url) = (client(), format!("{}/echo", process.url));
    for (headers, expected) in [
        (vec![], 401),
        (vec![("dapr-api-token", "s3cret-of-this-tesT")], 401),
        (vec![("dapr-api-token", "")], 401),
        (vec![("dapr-api-token", "s3cret-of-this-test"); 2], 401),
        (vec![("dapr-api-token", "s3cret-of-this-test")], 200),
    ] {
        let answer = request(&client, Method::GET, &url, &headers, "").await?;
        ensure!(answer.status == expected, "{headers:?}: {}", answer.text());
        ensure!(!answer.text().contains("s3cret"), "{}", answer.text());
        let is_challenged = answer.header("www-authenticate").is_some();
        ensure!(is_challenged == (expected == 401));
    }
    process.child.kill()?;
    // An empty one is a mistake, and not none.
    let mut own = command();
    own.env("DAPR_API_TOKEN", "");
    let refused = start(own, project.path(), &[]).err();
    let refused = refused.map(|error| error.to_string()).unwrap_or_default();
    ensure!(
        refused.contains("the variable `DAPR_API_TOKEN` is empty"),
        "{refused}"
    );
    let named = Project::new(&format!("{APPS}apiToken: {{ env: NO_SUCH_TOKEN }}\n"));
    let problems = named.with("memory", MEMORY).problems().await;
    let expected = "the variable `NO_SUCH_TOKEN` is not set";
    ensure!(
        problems.iter().any(|one| one.contains(expected)),
        "{problems:?}"
    );
    Ok(())
}

async fn origins() -> Result<()> {
    let cors = "cors: { allowedOrigins: [https://shop.example], allowCredentials: true }\n";
    let project = Project::new(&format!("{APPS}{cors}")).with("memory", MEMORY);
    let running = project.start().await?;
    let ask = ("access-control-request-method", "PUT");
    let allow = "access-control-allow-origin";
    // No app has this path: the host answers by itself.
    for (origin, expected) in [
        ("https://shop.example", Some("https://shop.example")),
        ("https://evil.example", None),
    ] {
        let headers = [
            ("origin", origin),
            ask,
            ("access-control-request-headers", "x-a"),
        ];
        let answer = running
            .send(Method::OPTIONS, "/nobody", &headers, "")
            .await?;
        ensure!((answer.status, answer.header(allow)) == (204, expected));
        let answer = running
            .send(Method::GET, "/plain", &[("origin", origin)], "")
            .await?;
        ensure!((answer.status, answer.header(allow)) == (200, expected));
        let answer = running
            .send(Method::GET, "/nobody", &[("origin", origin)], "")
            .await?;
        ensure!((answer.status, answer.header(allow)) == (404, expected));
    }
    ensure!(running.stop().await);
    Ok(())
}

/// A request without a token is refused, and keys that are not there keep the project from starting.
async fn bearer() -> Result<()> {
    let metadata = "[{ name: issuer, value: 'https://login.example' }, { name: audience, value: shop }, { name: jwksPath, value: keys.json }]";
    let project = project(&[("bearer", metadata)]);
    let problems = project.problems().await;
    ensure!(problems.len() == 1, "{problems:?}");
    ensure!(
        problems[0].contains("no token can be checked without keys, so nothing starts"),
        "{problems:?}"
    );
    let keys = "{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"a\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    project.write("resources/keys.json", keys);
    let running = project.start().await?;
    let answer = running.get("/plain").await?;
    ensure!(answer.status == 401, "{}", answer.text());
    ensure!(answer.header("www-authenticate") == Some("Bearer"));
    ensure!(
        answer.message() == "`step0`: there is no token",
        "{}",
        answer.message()
    );
    let none = "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUifQ.";
    let answer = running
        .send(Method::GET, "/plain", &[("authorization", none)], "")
        .await?;
    ensure!(answer.status == 401, "{}", answer.text());
    ensure!(running.stop().await);
    Ok(())
}
