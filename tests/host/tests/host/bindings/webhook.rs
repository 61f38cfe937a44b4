//! The door of webhooks in the host's HTTP server.

use super::{component, heard, project, reported};
use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::{Project, Running};
use http::Method;
use libtest_mimic::Trial;
use std::time::{Duration, Instant};
use tokio::{io::AsyncWriteExt, net::TcpStream};

/// The secret from the documentation of the most used sender of such signatures.
const SECRET: &str = "It's a Secret to Everybody";
const BODY: &str = "Hello, World!";
const SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

pub fn trials() -> Vec<Trial> {
    vec![
        case("bindings::webhook::an_app_answers", answered),
        case("bindings::webhook::each_refusal_has_its_status", refused),
        case("bindings::webhook::a_signature_opens_the_door", signed),
        case("bindings::webhook::a_path_has_one_component", one),
        case(
            "bindings::webhook::bodies_that_never_come_hold_no_place",
            never,
        ),
        case("bindings::webhook::a_peers_bodies_are_bounded", held),
    ]
}

fn hooks(listens: &str) -> Project {
    let hook = [
        ("path", "/hooks/in"),
        ("methods", "post,put"),
        ("maxBodyBytes", "20"),
    ];
    let signed = [("path", "/signed"), ("secret", SECRET)];
    project(listens)
        .with("hook", &component("hook", "bindings.webhook", &hook))
        .with("signed", &component("signed", "bindings.webhook", &signed))
}

async fn post(running: &Running, path: &str, body: &str) -> Result<host_tests::Answer> {
    running
        .send(
            Method::POST,
            path,
            &[("x-kind", "test"), ("dapr-caller-app-id", "forged")],
            body.to_owned(),
        )
        .await
}

async fn answered() -> Result<()> {
    let running = hooks("hook").start().await?;
    let answer = post(&running, "/hooks/in?a=b", "hello").await?;
    ensure!(
        (answer.status, answer.text().as_str()) == (200, "heard hello"),
        "{answer:?}"
    );
    let kind = answer
        .headers
        .get("content-type")
        .context("no content type")?;
    ensure!(kind == "text/plain; charset=utf-8", "{answer:?}");
    let put = running.send(Method::PUT, "/hooks/in", &[], "more").await?;
    ensure!(put.status == 200, "{put:?}");
    let all = heard(&running, "more").await?;
    let metadata = all[0]["metadata"].as_array().context("a list")?;
    for pair in [
        ["method", "POST"],
        ["path", "/hooks/in"],
        ["query", "a=b"],
        ["header.x-kind", "test"],
    ] {
        ensure!(
            metadata.contains(&serde_json::json!(pair)),
            "no {pair:?} in {all}"
        );
    }
    ensure!(!all.to_string().contains("forged"), "{all}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn refused() -> Result<()> {
    let running = hooks("hook").start().await?;
    let get = running.get("/hooks/in").await?;
    reported(&get, 405, "the method of this path; expected POST, PUT")?;
    let allow = get.headers.get("allow").context("no `allow`")?;
    ensure!(allow == "POST, PUT", "{get:?}");
    let large = post(&running, "/hooks/in", "more than twenty bytes").await?;
    reported(
        &large,
        413,
        "the body has more than 20 bytes; see `maxBodyBytes`",
    )?;
    let unsigned = post(&running, "/signed", BODY).await?;
    reported(
        &unsigned,
        403,
        "the signature in `x-hub-signature-256` is missing or does not fit",
    )?;
    let failed = post(&running, "/hooks/in", "fail").await?;
    reported(&failed, 503, "no app took this; try again later")?;
    let headers = [("x-hub-signature-256", SIGNATURE)];
    let refused = running
        .send(Method::POST, "/signed", &headers, BODY)
        .await?;
    reported(&refused, 503, "no app took this; try again later")?;
    // A path is matched whole: all others are the app's.
    for path in ["/hooks/in/", "/hooks/in/more", "/hooks"] {
        let answer = post(&running, path, "hello").await?;
        reported(&answer, 404, &format!("there is no POST {path}"))?;
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn signed() -> Result<()> {
    let running = hooks("signed").start().await?;
    for (signature, status) in [(SIGNATURE, 200), (&SIGNATURE[..70], 403), ("", 403)] {
        let headers = [("x-hub-signature-256", signature)];
        let answer = running
            .send(Method::POST, "/signed", &headers, BODY)
            .await?;
        ensure!(answer.status == status, "{signature}: {answer:?}");
    }
    let all = heard(&running, BODY).await?;
    ensure!(all.as_array().is_some_and(|all| all.len() == 1), "{all}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn one() -> Result<()> {
    let second = component("second", "bindings.webhook", &[("path", "/signed")]);
    let problems = hooks("").with("zsecond", &second).problems().await;
    let expected = "component `second`: the path `/signed` is that of bindings component `signed`; expected another one";
    ensure!(
        problems.len() == 1 && problems[0].ends_with(expected),
        "{problems:?}"
    );
    Ok(())
}

/// A request whose body is `sent` long so far, and one byte longer by its head.
async fn begin(running: &Running, path: &str, sent: usize) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(running.address).await?;
    let length = sent + 1;
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&vec![b'x'; sent]).await?;
    Ok(stream)
}

async fn never() -> Result<()> {
    let running = hooks("hook").start().await?;
    let mut silent = Vec::new();
    for _ in 0..256 {
        silent.push(begin(&running, "/hooks/in", 4).await?);
        // The host closes none of them to make room for the others.
        let answer = post(&running, "/hooks/in", "hello").await?;
        ensure!(answer.status == 200, "{}: {answer:?}", silent.len());
    }
    Ok(())
}

/// 32 MiB of a peer: 40 bodies of a mebibyte each, all but their last byte, are too many.
async fn held() -> Result<()> {
    let large = [("path", "/large"), ("maxBodyBytes", "2097152")];
    let running = hooks("box")
        .with("box", &component("box", "bindings.webhook", &large))
        .start()
        .await?;
    let mut open = Vec::new();
    for _ in 0..40 {
        // One that is refused may be closed before all of its bytes are out.
        if let Ok(stream) = begin(&running, "/large", 1 << 20).await {
            open.push(stream);
        }
    }
    let mut answer = [0; 12];
    let is_refused = |stream: &TcpStream, answer: &mut [u8; 12]| {
        stream.try_read(answer).is_ok() && answer.ends_with(b" 429")
    };
    let begun = Instant::now();
    while open.len() == 40 && !open.iter().any(|one| is_refused(one, &mut answer)) {
        ensure!(begun.elapsed() < Duration::from_secs(25), "all are held");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(open);
    let begun = Instant::now();
    loop {
        let answer = post(&running, "/large", "hello").await?;
        if answer.status == 200 {
            return Ok(());
        }
        ensure!(answer.status == 429, "{answer:?}");
        ensure!(begun.elapsed() < Duration::from_secs(60), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
