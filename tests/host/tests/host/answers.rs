//! Answers that are cut, late, unread or followed by work: nobody takes half of one for a whole, and no place is held for
//! longer than it is used.

mod permits;
mod unread;

use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::{MEMORY, Project, Running};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use libtest_mimic::Trial;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A limit against hanging alone.
const GUARD: Duration = Duration::from_secs(60);

/// Ends of a guest in the midst of its answer.
const ENDS: &[&str] = &["trap", "spin", "sleep", "alloc"];

/// Apps that say no each in its way, and one that asks them.
const REFUSING: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile, small, newer], http: [] }
  - appID: small
    guest: plain.wasm
    limits: { memory: 1MiB }
  - appID: newer
    guest: hostile3.wasm
";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        case("answers::half_of_one_is_cut_over_http_1", cut_h1),
        case("answers::half_of_one_is_reset_over_http_2", cut_h2),
        case("answers::half_of_one_is_an_error_for_an_app", cut_inside),
        case("answers::a_whole_one_outlives_its_instance", whole),
        case("answers::one_that_goes_on_is_not_ended_by_wall_time", drip),
        case("answers::neighbours_in_an_instance_hear_of_its_end", shared),
        case("answers::a_late_end_meets_no_closed_stream", late_end),
        case("answers::a_no_is_as_fast_as_a_yes", refusals),
    ];
    trials.extend(permits::trials());
    trials.extend(unread::trials());
    trials
}

/// An app `hostile`, with these limits.
async fn start(limits: &str) -> Result<Running> {
    let apps = format!(
        "  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: {{ state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }}
    limits: {{ {limits} }}
"
    );
    Project::new(&apps).with("memory", MEMORY).start().await
}

/// Sends a request, and does not read yet.
async fn open(running: &Running, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(running.address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Reads until the other side ends.
async fn read_to_end(mut stream: TcpStream) -> Result<String> {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(GUARD, stream.read_to_end(&mut answer));
    // A reset is an end, too.
    let _ = read.await.context("the connection stays open")?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn cut_h1() -> Result<()> {
    let running = start("wallTime: 1s, cpuTime: 200ms").await?;
    for how in ENDS {
        let stream = open(&running, &format!("/cut?how={how}")).await?;
        let answer = read_to_end(stream).await?;
        // The connection may be cut before anything is sent.
        let is_answer = answer.is_empty() || answer.starts_with("HTTP/1.1 200");
        ensure!(is_answer, "{how}: {answer}");
        ensure!(!answer.ends_with("0\r\n\r\n"), "{how}: {answer}");
    }
    Ok(())
}

async fn cut_h2() -> Result<()> {
    let running = start("wallTime: 1s, cpuTime: 200ms").await?;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Empty<bytes::Bytes>>();
    for how in ENDS {
        let url = running.url(&format!("/cut?how={how}")).parse()?;
        // The stream may be reset before the headers are sent.
        let Ok(response) = client.get(url).await else {
            continue;
        };
        let body = tokio::time::timeout(GUARD, response.into_body().collect()).await?;
        ensure!(body.is_err(), "{how}: {body:?}");
    }
    // The connection serves on.
    let again = client.get(running.url("/env").parse()?).await?;
    ensure!(again.status() == 200, "{again:?}");
    Ok(())
}

/// The command line asks by the same way.
async fn cut_inside() -> Result<()> {
    let running = start("wallTime: 5s").await?;
    let url = "http://hostile.wythe.internal/cut?how=trap";
    let reported = running.get(&format!("/pull?url={url}")).await?.text();
    ensure!(
        reported.starts_with("broke off after 5 bytes: "),
        "{reported}"
    );
    ensure!(reported.contains("`hostile` trapped"), "{reported}");
    let path = "/invoke?app=hostile&path=/cut?how=trap";
    let reported = running.get(path).await?.text();
    let expected = "refused: internal: `hostile` trapped: wasm trap: ";
    ensure!(reported.starts_with(expected), "{reported}");
    Ok(())
}

/// The guest wrote all of it, and failed only then.
async fn whole() -> Result<()> {
    let running = start("wallTime: 5s, cpuTime: 200ms, afterTime: 300ms").await?;
    for how in ENDS {
        for _ in 0..4 {
            let answer = running.get(&format!("/after?how={how}&ms=60000")).await?;
            ensure!(answer.text() == "whole\n", "{how}: {answer:?}");
        }
    }
    Ok(())
}

async fn drip() -> Result<()> {
    let running = start("wallTime: 2s").await?;
    let answer = running.get("/drip?count=20&ms=150").await?;
    ensure!(answer.body.len() == 20 * 5, "{answer:?}");
    let limited = start("responseTime: 600ms").await?;
    let stream = open(&limited, "/drip?count=100000&ms=50").await?;
    let answer = read_to_end(stream).await?;
    ensure!(answer.contains("drip") && !answer.ends_with("0\r\n\r\n"));
    Ok(())
}

async fn shared() -> Result<()> {
    let running = Project::new(
        "  - appID: hostile3
    guest: hostile3.wasm
    ingress: /
    reuse: { maxRequests: 1000, maxConcurrent: 100 }
",
    )
    .start()
    .await?;
    // Both are in one instance, or each has its own; then the trap is nobody else's, and is asked for again.
    for _ in 0..20 {
        let mut neighbour = open(&running, "/half").await?;
        let mut begin = [0; 17];
        neighbour.read_exact(&mut begin).await?;
        ensure!(&begin == b"HTTP/1.1 200 OK\r\n", "{begin:?}");
        let trapped = running.get("/trap").await?;
        ensure!(trapped.status == 502, "{trapped:?}");
        let rest = tokio::time::timeout(Duration::from_secs(2), read_to_end(neighbour)).await;
        if let Ok(rest) = rest {
            let rest = rest?;
            ensure!(!rest.ends_with("0\r\n\r\n"), "{rest}");
            return Ok(());
        }
    }
    anyhow::bail!("no two requests shared an instance")
}

async fn late_end() -> Result<()> {
    let running = start("wallTime: 10s").await?;
    let answer = running.get("/late-end?component=statestore").await?;
    ensure!(answer.text() == "whole\n", "{answer:?}");
    let reported = running
        .eventually("/get?component=statestore&key=late-end", |answer| {
            answer.text() != "got nothing"
        })
        .await?;
    let expected = "got written true, flushed true, finished true";
    ensure!(reported.text() == expected, "{reported:?}");
    Ok(())
}

/// Waiting for words that never come would take longer than the guard.
async fn refusals() -> Result<()> {
    let running = Project::new(REFUSING)
        .with("memory", MEMORY)
        .start()
        .await?;
    let refusals = [
        ("hostile", "/code", "`hostile` gave no response: "),
        ("hostile", "/silent", "`hostile` returned without an answer"),
        ("hostile", "/trap", "`hostile` trapped: "),
        ("small", "/env", "`small` failed: "),
        ("newer", "/code", "`newer` gave no response: "),
        ("newer", "/trap", "`newer` trapped: "),
    ];
    let all = async {
        for _ in 0..8 {
            for (app, path, expected) in refusals {
                let asked = format!("/invoke?app={app}&path={path}");
                let reported = running.get(&asked).await?.text();
                let expected = format!("refused: internal: {expected}");
                ensure!(reported.starts_with(&expected), "{app} {path}: {reported}");
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(GUARD, all).await?
}
