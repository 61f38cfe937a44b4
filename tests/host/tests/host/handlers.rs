//! `middleware.http.wasm`: guests between a client and an app, honest ones and hostile ones.

mod before;
mod login;

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{Answer, MEMORY, Project, Running, guest};
use http::Method;
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        case("handlers::a_guest_looks_at_requests_and_answers", honest),
        case("handlers::bodies_stream_through_a_guest", streamed),
        case("handlers::a_guest_has_its_settings", settings),
        case("handlers::a_guest_answers_by_itself", alone),
        case("handlers::only_the_host_speaks_for_the_host", forged),
        case("handlers::a_request_is_handed_on_once", twice),
        case("handlers::a_guest_reaches_nothing_but_the_next", elsewhere),
        case(
            "handlers::a_guest_that_fails_ends_its_request_alone",
            failing,
        ),
        case("handlers::a_guest_that_does_not_end_is_cut_off", endless),
        case("handlers::requests_wait_for_a_place", busy),
        case("handlers::an_app_has_handlers_of_its_own", before::asked),
        case(
            "handlers::people_log_in_at_another_server",
            login::logged_in,
        ),
        case("handlers::files_that_are_no_handlers", refused),
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

/// The document of a handler that is a guest, with further settings as `{ name: .., value: .. }, ..`.
fn handler(file: &str, settings: &str) -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: gate }}\nspec:\n  \
         type: middleware.http.wasm\n  version: v1\n  metadata: [{{ name: {file} }}, {settings}]\n---\n\
         apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: way }}\n\
         spec: {{ httpPipeline: {{ handlers: [{{ name: gate, type: middleware.http.wasm }}] }} }}\n"
    )
}

fn sample(name: &str) -> String {
    format!("path, value: {}", guest(name).display())
}

fn project(file: &str, settings: &str) -> Project {
    let document = handler(file, settings);
    Project::new(APPS)
        .with("memory", MEMORY)
        .with("gate", &document)
}

/// A host with the hostile guest.
async fn hostile(settings: &str) -> Result<Running> {
    project(&sample("gatecrasher"), settings).start().await
}

async fn attack(running: &Running, how: &str, value: &str) -> Result<Answer> {
    let headers = [("x-attack", how), ("x-value", value)];
    running.send(Method::GET, "/plain", &headers, "").await
}

/// The headers that the app `echo` has got.
fn got<'a>(shown: &'a serde_json::Value, name: &str) -> Vec<&'a str> {
    let all = shown["headers"].as_array().into_iter().flatten();
    all.filter(|one| one[0] == name)
        .filter_map(|one| one[1].as_str())
        .collect()
}

async fn honest() -> Result<()> {
    let settings = "{ name: refuse, value: '/echo/internal,/plain/internal' }";
    let running = project(&sample("gatekeeper"), settings).start().await?;
    let answer = running.send(Method::POST, "/echo/a?n=1", &[("x-gate", "mine")], "hello");
    let answer = answer.await?;
    ensure!(answer.status == 200, "{}", answer.text());
    ensure!(answer.header("x-gate") == Some("passed"));
    let shown = answer.json();
    ensure!(
        shown["body"] == "hello" && shown["target"] == "/echo/a?n=1",
        "{shown}"
    );
    ensure!(got(&shown, "x-gate") == ["passed"], "{shown}");
    for path in ["/echo/internal", "/plain/internal/x"] {
        let answer = running.get(path).await?;
        ensure!(answer.status == 403, "{path}: {}", answer.text());
        ensure!(answer.header("x-gate") == Some("refused"));
    }
    ensure!(running.get("/plain/internals").await?.status == 200);
    // What is nobody's is answered by the host, through the handler.
    let answer = running.get("/nobody").await?;
    ensure!((answer.status, answer.header("x-gate")) == (404, Some("passed")));
    ensure!(running.stop().await);
    Ok(())
}

async fn streamed() -> Result<()> {
    let long = "abcdefgh".repeat(256 << 10);
    let apps = APPS.replace("ingress: /echo", "ingress: /");
    let project = Project::new(&apps)
        .with("memory", MEMORY)
        .with("gate", &handler(&sample("gatekeeper"), ""));
    let running = project.start().await?;
    let answer = running
        .send(Method::POST, "/stream", &[], long.clone())
        .await?;
    ensure!(answer.status == 200, "{}", answer.text());
    ensure!(answer.text() == long, "{} bytes", answer.body.len());
    let answer = running.send(Method::HEAD, "/plain", &[], "").await?;
    ensure!((answer.status, answer.header("x-gate")) == (200, Some("passed")));
    ensure!(running.stop().await);
    Ok(())
}

async fn settings() -> Result<()> {
    let settings = "{ name: guestConfig, value: '{\"a\": 1}' }, { name: MIXED_case, value: b }";
    let running = hostile(settings).await?;
    for (name, expected) in [
        ("guestConfig", "{\"a\": 1}"),
        ("MIXED_case", "b"),
        ("path", ""),
    ] {
        let answer = attack(&running, "env", name).await?;
        ensure!(answer.text() == expected, "{name}: {}", answer.text());
    }
    ensure!(running.stop().await);
    let named = project(&sample("gatecrasher"), "{ name: 'a=b', value: c }");
    let problems = named.problems().await;
    let expected = "the setting `a=b` cannot be a variable of the handler's environment";
    ensure!(
        problems.iter().any(|one| one.contains(expected)),
        "{problems:?}"
    );
    Ok(())
}

async fn alone() -> Result<()> {
    let running = hostile("").await?;
    let answer = attack(&running, "answer", "").await?;
    ensure!((answer.status, answer.text().as_str()) == (418, "answered by the handler"));
    let answer = attack(&running, "answer-first", "").await?;
    ensure!((answer.status, answer.text().as_str()) == (200, "first 200"));
    let long = "x".repeat(3 << 20);
    for (how, expected) in [("unread", "not read"), ("body", "3145728 bytes")] {
        let headers = [("x-attack", how)];
        let sent = running.send(Method::POST, "/plain", &headers, long.clone());
        let answer = sent.await?;
        ensure!(
            (answer.status, answer.text().as_str()) == (200, expected),
            "{}",
            answer.text()
        );
    }
    ensure!(running.stop().await);
    Ok(())
}

async fn forged() -> Result<()> {
    let running = hostile("").await?;
    let headers = [("x-attack", "forge"), ("host", "shop.example")];
    let answer = running.send(Method::GET, "/echo/a", &headers, "").await?;
    ensure!(answer.status == 200, "{}", answer.text());
    let shown = answer.json();
    for name in [
        "wythe-client-name",
        "wythe-client",
        "dapr-caller-app-id",
        "dapr-caller-namespace",
        "dapr-api-token",
    ] {
        ensure!(got(&shown, name).is_empty(), "{name}: {shown}");
    }
    ensure!(got(&shown, "x-own") == ["its own"], "{shown}");
    let traces = got(&shown, "traceparent");
    ensure!(traces.len() == 1 && traces[0].starts_with("00-"), "{shown}");
    // A path that could be read in two ways goes no further than one of a client would.
    for (path, expected) in [
        ("/plain", 200),
        ("/plain/%2e%2e", 400),
        ("//plain", 400),
        ("/nobody", 404),
    ] {
        let answer = attack(&running, "path", path).await?;
        ensure!(
            answer.status == expected,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
    ensure!(running.stop().await);
    Ok(())
}

async fn twice() -> Result<()> {
    let running = hostile("").await?;
    let answer = attack(&running, "twice", "").await?;
    ensure!(
        answer.text() == "200, then ErrorKind::Denied",
        "{}",
        answer.text()
    );
    ensure!(running.stop().await);
    Ok(())
}

async fn elsewhere() -> Result<()> {
    let running = hostile("").await?;
    for url in [
        "http://plain.wythe.internal/plain",
        "http://127.0.0.1:9/",
        "http://next.wythe.internal.example/",
    ] {
        let answer = attack(&running, "fetch", url).await?;
        ensure!(
            answer.text() == "ErrorKind::Denied",
            "{url}: {}",
            answer.text()
        );
    }
    let answer = attack(&running, "fetch", "http://NEXT.wythe.internal/plain").await?;
    ensure!(answer.text() == "200", "{}", answer.text());
    ensure!(running.stop().await);
    Ok(())
}

async fn failing() -> Result<()> {
    let running = hostile("{ name: cpuTime, value: 200ms }").await?;
    for (how, status, expected) in [
        (
            "trap",
            502,
            "`gate`: `gate` trapped: wasm trap: wasm `unreachable`",
        ),
        ("spin", 504, "`gate`: `gate` used its 200ms of CPU time"),
    ] {
        let answer = attack(&running, how, "").await?;
        ensure!(
            answer.status == status,
            "{how}: {} {}",
            answer.status,
            answer.text()
        );
        let message = answer.message();
        ensure!(message.starts_with(expected), "{how}: {message}");
        ensure!(attack(&running, "", "").await?.header("x-gate") == Some("crashed"));
    }
    ensure!(
        attack(&running, "half", "").await.is_err(),
        "an answer that broke off is whole"
    );
    ensure!(attack(&running, "", "").await?.status == 200);
    ensure!(running.stop().await);
    Ok(())
}

async fn endless() -> Result<()> {
    let settings = "{ name: callTimeout, value: 1s }, { name: responseTime, value: 2s }, { name: instances, value: '1' }, { name: cpuTime, value: 10s }";
    let running = hostile(settings).await?;
    for how in ["sleep", "hold"] {
        let answer = attack(&running, how, "").await?;
        ensure!(
            answer.status == 504,
            "{how}: {} {}",
            answer.status,
            answer.text()
        );
        // Its place is another's.
        ensure!(attack(&running, "", "").await?.status == 200);
    }
    ensure!(attack(&running, "endless", "").await.is_err(), "it ended");
    ensure!(attack(&running, "", "").await?.status == 200);
    ensure!(running.stop().await);
    Ok(())
}

async fn busy() -> Result<()> {
    let settings = "{ name: callTimeout, value: 2s }, { name: instances, value: '1' }";
    let running = hostile(settings).await?;
    let (one, two) = tokio::join!(attack(&running, "sleep", ""), attack(&running, "sleep", ""));
    let mut statuses = [one?.status, two?.status];
    statuses.sort_unstable();
    ensure!(
        statuses == [429, 504] || statuses == [504, 504],
        "{statuses:?}"
    );
    ensure!(running.stop().await);
    Ok(())
}

async fn refused() -> Result<()> {
    let cases = [
        (
            "path, value: core.wasm".to_owned(),
            "is a core module, such as Dapr runs by the ABI of http-wasm; expected a component",
        ),
        (
            "path, value: gone.wasm".to_owned(),
            "no component file at resources/gone.wasm",
        ),
        (
            "url, value: 'https://example.com/a.wasm'".to_owned(),
            "`url`: the host downloads no code",
        ),
        (
            "url, value: 'file://gone.wasm'".to_owned(),
            "no component file at resources/gone.wasm",
        ),
        (
            "other, value: a".to_owned(),
            "no `path` in its metadata; expected the handler's component file",
        ),
        (
            sample("ttl_cache"),
            "is no handler of requests: it exports neither",
        ),
        (sample("echo"), "imports `wythe:blocks/"),
    ];
    for (file, expected) in cases {
        let project = project(&file, "");
        project.write("resources/core.wasm", b"\0asm\x01\0\0\0");
        let problems = project.problems().await;
        let is_there =
            |one: &String| one.starts_with("component `gate`: ") && one.contains(expected);
        ensure!(problems.iter().any(is_there), "{file}: {problems:?}");
    }
    both().await
}

/// A handler has one file.
async fn both() -> Result<()> {
    let both = project(
        &sample("gatecrasher"),
        "{ name: url, value: 'file://a.wasm' }",
    );
    let problems = both.problems().await;
    ensure!(
        problems
            .iter()
            .any(|one| one.contains("`path` and `url`; expected one of them")),
        "{problems:?}"
    );
    Ok(())
}
