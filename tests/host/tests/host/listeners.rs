//! The doors of a host beside that of its apps: commands by HTTP over the socket and nowhere else, and health.

use crate::{
    case,
    crash::{Process, run},
};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use host_tests::{MEMORY, Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    time::timeout,
};

/// A limit against hanging alone.
const LONG: Duration = Duration::from_secs(60);
const HELLO: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /hello
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";
const HOSTILE: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("doors::a_program_asks_as_the_command_does", program),
        case("doors::no_port_takes_commands", ports),
        case("doors::health_says_that_the_host_stops", health),
    ]
}

/// Asks a host at its socket; the answer has its status and its body.
async fn ask(project: &Project, path: &str, fields: &Value) -> Result<(String, Value)> {
    let socket = project.path().join(".wythe/control.sock");
    let mut stream = UnixStream::connect(socket).await?;
    let body = fields.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await??;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.split(' ').nth(1).context("no status")?;
    Ok((status.to_owned(), serde_json::from_str(body)?))
}

async fn program() -> Result<()> {
    let project = Project::new(HELLO);
    let mut process = run(&project, &[])?;
    let call =
        json!({ "app": "hello", "method": "GET", "path": "/hello", "headers": [], "body": "" });
    let (status, answer) = ask(&project, "/v1/invocation/invoke", &call).await?;
    ensure!(status == "200", "{status}: {answer}");
    let body = answer["response"]["body"].as_str().context("a body")?;
    let body = String::from_utf8(STANDARD.decode(body)?)?;
    ensure!(body == "hello, visitor 1\n", "{body}");
    let wrong = json!({ "component": "nostore", "app": "hello", "key": "a" });
    let (status, answer) = ask(&project, "/v1/state/get", &wrong).await?;
    let message = "no state component `nostore` for app `hello`";
    let refusal = json!({ "error": "not-found", "message": message });
    ensure!(status == "404" && answer == refusal, "{status}: {answer}");
    Ok(process.child.kill()?)
}

/// A free address for the metrics.
async fn free() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(listener.local_addr()?.to_string())
}

async fn ports() -> Result<()> {
    let project = Project::new(HELLO);
    let metrics = free().await?;
    let mut process = run(&project, &["--metrics", &metrics])?;
    let set = json!({ "component": "statestore", "app": "hello", "key": "a", "value": "Yg==" });
    for listener in [process.url.clone(), format!("http://{metrics}")] {
        for (method, path) in [
            (Method::GET, "/v1/ping"),
            (Method::POST, "/v1/state/set"),
            (Method::POST, "/control.sock/v1/state/set"),
        ] {
            let headers = [("host", "localhost"), ("content-type", "application/json")];
            let url = format!("{listener}{path}");
            let answer = request(&client(), method, &url, &headers, set.to_string()).await?;
            ensure!(answer.status == 404, "{url}: {answer:?}");
        }
    }
    let get = json!({ "component": "statestore", "app": "hello", "key": "a" });
    let (status, answer) = ask(&project, "/v1/state/get", &get).await?;
    let missing = json!({ "missing": { "key": "a" } });
    ensure!(status == "200" && answer == missing, "{status}: {answer}");
    Ok(process.child.kill()?)
}

/// A request whose body comes a byte at a time, so that the host has something to drain.
async fn begun(process: &Process) -> Result<TcpStream> {
    let address = process.url.strip_prefix("http://").context("an address")?;
    let mut stream = TcpStream::connect(address).await?;
    let head = "POST /read-body HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    let mut said = [0; 25];
    timeout(LONG, stream.read_exact(&mut said)).await??;
    ensure!(said.starts_with(b"HTTP/1.1 100 "), "no app reads the body");
    Ok(stream)
}

async fn health() -> Result<()> {
    let project = Project::new(HOSTILE).with("memory", MEMORY);
    let metrics = free().await?;
    let mut process = run(&project, &["--metrics", &metrics])?;
    let url = format!("http://{metrics}/healthz");
    let client = client();
    let well = request(&client, Method::GET, &url, &[], "").await?;
    ensure!(well.status == 200 && well.text() == "ok\n", "{well:?}");
    let mut stream = begun(&process).await?;
    kill_process(Pid::from_child(&process.child), Signal::TERM)?;
    let mut sent = 0;
    let stopping = loop {
        let health = request(&client, Method::GET, &url, &[], "").await?;
        if health.status != 200 {
            break health;
        }
        stream.write_all(b"x").await?;
        sent += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let is_reported = stopping.status == 503 && stopping.text() == "the host is stopping\n";
    ensure!(is_reported, "{stopping:?}");
    stream.write_all(&vec![b'x'; 100_000 - sent]).await?;
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let ended = tokio::task::spawn_blocking(move || process.child.wait()).await??;
    ensure!(ended.success(), "{ended}");
    Ok(())
}
