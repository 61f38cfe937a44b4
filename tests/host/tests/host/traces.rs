//! Spans of the command `wythe run`, at a receiver: the tree of a request, and what sampling says.

use crate::{
    case,
    crash::{Process, command, run, start},
    outside::asked,
};
use anyhow::{Result, ensure};
use conformance::receiver::{Received, Receiver};
use host_tests::{MEMORY, Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use std::{net::SocketAddr, time::Duration};
use tokio::net::TcpListener;

const APPS: &str = "\
  - appID: front
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [back] }
  - appID: back
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [front] }
";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

pub fn trials() -> Vec<Trial> {
    vec![
        case("traces::a_request_is_a_tree_at_the_receiver", tree),
        case("traces::a_request_to_the_outside_is_a_span", outside),
        case("traces::a_rate_of_0_sends_nothing", none),
        case("traces::variables_name_a_receiver", variables),
        case(
            "traces::a_wrong_variable_keeps_the_host_from_starting",
            wrong,
        ),
    ]
}

fn project(tracing: &str) -> Project {
    let configuration = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: settings }}\nspec: {{ tracing: {tracing} }}\n"
    );
    Project::new(APPS)
        .with("memory", MEMORY)
        .with("settings", &configuration)
}

fn grpc(rate: &str, address: SocketAddr) -> String {
    format!(
        "{{ samplingRate: '{rate}', otel: {{ endpointAddress: '{address}', isSecure: false, protocol: grpc }} }}"
    )
}

async fn ask(process: &Process, path: &str, flags: &str) -> Result<()> {
    let url = format!("{}{path}", process.url);
    let parent = format!("00-{TRACE}-{SPAN}-{flags}");
    let headers = [("traceparent", parent.as_str())];
    let answer = request(&client(), Method::GET, &url, &headers, "").await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// Ends the command as an operator does: what it has is sent before.
async fn stop(mut process: Process) -> Result<()> {
    let id = rustix::process::Pid::from_child(&process.child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
    tokio::task::spawn_blocking(move || process.child.wait()).await??;
    Ok(())
}

async fn tree() -> Result<()> {
    let receiver = Receiver::start().await;
    let process = run(&project(&grpc("1", receiver.address)), &[])?;
    ask(&process, "/chain?app=back&path=/who?token=secret", "01").await?;
    stop(process).await?;
    let spans = receiver.of_trace(TRACE);
    let of = |service: &str| -> Result<&Received> {
        let found = spans.iter().find(|span| span.service == service);
        found.ok_or_else(|| anyhow::anyhow!("no span of {service} in {spans:#?}"))
    };
    let (front, back) = (of("front")?, of("back")?);
    ensure!(
        front.parent == SPAN && back.parent == front.id,
        "{spans:#?}"
    );
    for span in [front, back] {
        ensure!(span.kind == "SERVER" && span.name == "GET", "{span:#?}");
        ensure!(!format!("{span:?}").contains("secret"), "{span:#?}");
    }
    Ok(())
}

async fn outside() -> Result<()> {
    let receiver = Receiver::start().await;
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let to = server.local_addr()?;
    let apps = format!(
        "  - appID: near\n    guest: hostile.wasm\n    ingress: /\n    grants: {{ state: [statestore], publish: [pubsub], invoke: [near], http: [\"{to}\"] }}\n"
    );
    let tracing = grpc("1", receiver.address);
    let configuration = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: settings }}\nspec: {{ tracing: {tracing} }}\n"
    );
    let project = Project::new(&apps)
        .with("memory", MEMORY)
        .with("settings", &configuration);
    let process = run(&project, &[])?;
    let path = format!("/fetch?url=http://{to}/secret");
    let (head, answered) = tokio::join!(asked(server), ask(&process, &path, "01"));
    answered?;
    let head = head?;
    stop(process).await?;
    let spans = receiver.of_trace(TRACE);
    let of = |kind: &str| -> Result<&Received> {
        let found = spans.iter().find(|span| span.kind == kind);
        found.ok_or_else(|| anyhow::anyhow!("no span of {kind} in {spans:#?}"))
    };
    let (app, sent) = (of("SERVER")?, of("CLIENT")?);
    ensure!(sent.parent == app.id && sent.name == "GET", "{spans:#?}");
    let traceparent = format!("traceparent: 00-{TRACE}-{}-01", sent.id);
    ensure!(head.contains(&traceparent), "{head}");
    let says = |key: &str| sent.attributes.get(key).map(String::as_str);
    ensure!(says("server.address") == Some("127.0.0.1"), "{sent:#?}");
    ensure!(
        says("server.port") == Some(to.port().to_string().as_str()),
        "{sent:#?}"
    );
    ensure!(
        says("http.response.status_code") == Some("200"),
        "{sent:#?}"
    );
    ensure!(!format!("{sent:?}").contains("secret"), "{sent:#?}");
    Ok(())
}

async fn none() -> Result<()> {
    let receiver = Receiver::start().await;
    let process = run(&project(&grpc("0", receiver.address)), &[])?;
    ask(&process, "/who", "01").await?;
    stop(process).await?;
    ensure!(receiver.of_trace(TRACE).is_empty());
    Ok(())
}

async fn variables() -> Result<()> {
    let receiver = Receiver::start().await;
    let mut command = command();
    command
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://{}", receiver.address),
        )
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=token")
        .env("OTEL_SERVICE_NAME", "named");
    let project = Project::new(APPS).with("memory", MEMORY);
    let process = start(command, project.path(), &[])?;
    ask(&process, "/who", "01").await?;
    // A trace that its client did not sample is not recorded.
    let unsampled = format!("{}/who", process.url);
    let parent = format!("00-{}-{SPAN}-00", TRACE.replace('4', "5"));
    let headers = [("traceparent", parent.as_str())];
    request(&client(), Method::GET, &unsampled, &headers, "").await?;
    // It is sent while the host runs, too.
    let sent = receiver.wait(TRACE, 1);
    let spans = tokio::time::timeout(Duration::from_secs(60), sent).await?;
    stop(process).await?;
    ensure!(
        spans[0].service == "named" && spans[0].authorization == "token",
        "{spans:#?}"
    );
    ensure!(receiver.of_trace(&TRACE.replace('4', "5")).is_empty());
    Ok(())
}

async fn wrong() -> Result<()> {
    let project = Project::new(APPS).with("memory", MEMORY);
    for (name, value, expected) in [
        (
            "OTEL_TRACES_SAMPLER",
            "sometimes",
            "OTEL_TRACES_SAMPLER: expected `always_on`",
        ),
        (
            "OTEL_EXPORTER_OTLP_CERTIFICATE",
            "missing.pem",
            "OTEL_EXPORTER_OTLP_CERTIFICATE: the file `missing.pem` cannot be read",
        ),
    ] {
        let mut command = command();
        command.env(name, value);
        let Err(error) = start(command, project.path(), &[]) else {
            anyhow::bail!("it started");
        };
        let reported = error.to_string();
        ensure!(reported.contains(expected), "{reported}");
    }
    Ok(())
}
