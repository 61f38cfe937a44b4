//! Apps call apps in process: by the invocation block and by streamed HTTP, with identity, limits and refusals.

use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::{MEMORY, Project, Running};
use http::Method;
use libtest_mimic::Trial;

const APPS: &str = "\
  - appID: front
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [back, front, missing, events-only] }
  - appID: back
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [front, back] }
  - appID: plain
    guest: hello.wasm
    ingress: /plain
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("invocation::the_callee_knows_its_caller", caller),
        case(
            "invocation::a_caller_from_outside_cannot_forge_its_identity",
            forged,
        ),
        case("invocation::bodies_stream_through", stream),
        case("invocation::http_to_an_app_needs_no_socket", internal),
        case("invocation::an_app_that_is_not_there_is_not_found", missing),
        case("invocation::an_endless_chain_is_exhausted", endless),
        case("invocation::paths_that_read_two_ways_are_refused", paths),
        case("invocation::the_trace_goes_along", trace),
    ]
}

async fn start() -> Result<Running> {
    Project::new(APPS).with("memory", MEMORY).start().await
}

async fn caller() -> Result<()> {
    let running = start().await?;
    let reported = running.get("/chain?app=back&path=/who").await?.json();
    ensure!(
        reported["caller"]["app"] == "front" && reported["caller"]["tenant"] == "default",
        "{reported}"
    );
    ensure!(
        reported["method"] == "GET" && reported["target"] == "/who",
        "{reported}"
    );
    Ok(())
}

/// The trace of a client.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

async fn forged() -> Result<()> {
    let running = start().await?;
    let headers = [
        ("dapr-caller-app-id", "admin"),
        ("dapr-caller-namespace", "root"),
        ("wythe-call", "1;tenant=root;left=9;hops=admin"),
        ("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")),
        ("tracestate", "vendor=kept"),
        ("x-kept", "yes"),
    ];
    let reported = running.send(Method::GET, "/", &headers, "").await?.text();
    ensure!(
        !reported.contains("admin") && !reported.contains("root") && reported.contains("x-kept"),
        "{reported}"
    );
    // The client's trace goes on, in a span of the app's own.
    ensure!(
        reported.contains(TRACE) && !reported.contains("00f067aa0ba902b7"),
        "{reported}"
    );
    ensure!(reported.contains("vendor=kept"), "{reported}");
    // Without a trace there is nothing that it could be the state of.
    for parent in ["", "00-0-0-00"] {
        let headers = [("tracestate", "vendor=lost"), ("traceparent", parent)];
        let reported = running.send(Method::GET, "/", &headers, "").await?.text();
        ensure!(
            reported.contains("traceparent") && !reported.contains("vendor"),
            "{reported}"
        );
    }
    Ok(())
}

async fn stream() -> Result<()> {
    let running = start().await?;
    let body: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    let answer = running
        .send(Method::POST, "/stream", &[], body.clone())
        .await?;
    ensure!(
        answer.status == 200 && answer.body == body,
        "{} bytes came back",
        answer.body.len()
    );
    Ok(())
}

/// Calls by `wasi:http` and the authority `APP-ID.wythe.internal` take no socket, and carry as much as a body may hold.
async fn internal() -> Result<()> {
    let apps = "\
  - appID: near
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [far, nobody], http: [] }
  - appID: far
    guest: hostile.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [far], http: [] }
";
    let running = Project::new(apps).with("memory", MEMORY).start().await?;
    let answer = running
        .get("/fetch?url=http://far.wythe.internal/big-response%3Fmib=4")
        .await?;
    let length = answer.body.len();
    ensure!(
        length == (4 << 20) + "200 ".len(),
        "{length} bytes: {:.100}",
        answer.text()
    );
    let nobody = running
        .get("/fetch?url=http://nobody.wythe.internal/")
        .await?
        .text();
    ensure!(nobody.starts_with("refused: "), "{nobody}");
    let denied = running
        .get("/fetch?url=http://near.wythe.internal/")
        .await?
        .text();
    ensure!(denied.starts_with("refused: "), "{denied}");
    Ok(())
}

async fn missing() -> Result<()> {
    let running = start().await?;
    let answer = running.get("/chain?app=missing&path=/").await?;
    ensure!(answer.status == 404, "{answer:?}");
    ensure!(
        answer.message() == "no app `missing` for app `front`",
        "{answer:?}"
    );
    Ok(())
}

/// `back` is told to call itself with a path that does the same, 20 deep.
async fn endless() -> Result<()> {
    let running = start().await?;
    let mut path = String::from("/end");
    for _ in 0..18 {
        path = format!("/chain?app=back&path={}", encode(&path));
        ensure!(path.len() < 60_000, "the path is too long to test with");
    }
    let answer = running.get(&path).await?;
    let text = answer.text();
    ensure!(
        text.contains("the call chain is longer than 16: front -> back -> back"),
        "{} {text}",
        answer.status
    );
    Ok(())
}

/// Encodes only what a query cannot hold, so that nesting grows the text slowly.
fn encode(path: &str) -> String {
    path.replace('%', "%25")
        .replace('&', "%26")
        .replace('?', "%3F")
        .replace('=', "%3D")
}

async fn paths() -> Result<()> {
    let running = start().await?;
    for (path, what) in [
        ("//a", "has `//`, a backslash or `#`; expected a plain path"),
        (
            "/a/../b",
            "has a `.` or `..` segment; expected a plain path",
        ),
        (
            "/a%5Cb",
            "has `//`, a backslash or `#`; expected a plain path",
        ),
        (
            "/a%252Fb",
            "has an encoded slash, backslash, dot or NUL; expected them plain or not at all",
        ),
        ("a", "does not begin with `/`"),
    ] {
        let answer = running.get(&format!("/chain?app=back&path={path}")).await?;
        ensure!(
            answer.status == 400 && answer.message().contains(what),
            "{path}: {answer:?}"
        );
    }
    Ok(())
}

async fn trace() -> Result<()> {
    let running = start().await?;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let answer = running
        .send(
            Method::GET,
            "/publish?topic=echo&count=1",
            &[("traceparent", &parent)],
            "",
        )
        .await?;
    ensure!(answer.status == 200, "{answer:?}");
    let events = running
        .eventually("/events", |events| events.json()[0].is_object())
        .await?
        .json();
    events[0]["id"].as_str().context("an event without an id")?;
    Ok(())
}
