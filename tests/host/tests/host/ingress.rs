//! The front door: routes, limits, versions of HTTP, and the drain.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, Running};
use libtest_mimic::Trial;
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const APPS: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
  - appID: hello
    guest: hello.wasm
    ingress: /hello
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("ingress::the_longest_prefix_wins", prefix),
        case("ingress::what_nobody_answers_is_not_found", nobody),
        case(
            "ingress::a_declared_body_over_the_limit_is_refused_unread",
            declared,
        ),
        case("ingress::a_chunked_body_over_the_limit_ends_early", chunked),
        case("ingress::too_many_headers_are_refused", headers),
        case("ingress::a_header_that_is_no_utf8_passes_as_bytes", bytes),
        case("ingress::http_2_is_spoken", h2),
        case(
            "ingress::requests_under_way_finish_when_the_host_stops",
            drain,
        ),
        case("ingress::an_answer_is_streamed", streamed),
    ]
}

async fn start() -> Result<Running> {
    Project::new(APPS).with("memory", MEMORY).start().await
}

/// Sends bytes as they are, and reads what comes until the other side is silent or ends.
async fn raw(running: &Running, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(running.address).await?;
    // The host may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut answer)).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

async fn prefix() -> Result<()> {
    let running = start().await?;
    ensure!(running.get("/hello").await?.text() == "hello, visitor 1\n");
    ensure!(running.get("/hello/there").await?.text() == "hello, visitor 2\n");
    ensure!(
        running
            .get("/hellothere")
            .await?
            .text()
            .contains("there is no attack /hellothere")
    );
    Ok(())
}

async fn nobody() -> Result<()> {
    let apps = APPS.replace("ingress: /\n", "ingress: /hostile\n");
    let running = Project::new(&apps).with("memory", MEMORY).start().await?;
    let answer = running.get("/other").await?;
    ensure!(answer.status == 404, "{answer:?}");
    ensure!(
        answer.message() == "no app answers /other; see `ingress` in the manifest",
        "{answer:?}"
    );
    Ok(())
}

async fn declared() -> Result<()> {
    let running = start().await?;
    let answer = raw(
        &running,
        b"POST /read-body HTTP/1.1\r\nhost: a\r\ncontent-length: 1073741824\r\n\r\nx",
    )
    .await?;
    ensure!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    ensure!(
        answer.contains("the body is too large") && !answer.contains("limits"),
        "{answer}"
    );
    Ok(())
}

async fn chunked() -> Result<()> {
    let running = start().await?;
    let mut request =
        b"POST /read-body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..80 {
        request.extend_from_slice(b"10000\r\n");
        request.extend(std::iter::repeat_n(b'x', 0x10000));
        request.extend_from_slice(b"\r\n");
    }
    let answer = raw(&running, &request).await?;
    ensure!(
        !answer.contains(" 200 ") && !answer.contains("read "),
        "{answer}"
    );
    ensure!(running.get("/hello").await?.status == 200);
    Ok(())
}

async fn headers() -> Result<()> {
    let running = start().await?;
    let mut request = String::from("GET /env HTTP/1.1\r\nhost: a\r\n");
    for number in 0..150 {
        request += &format!("x-{number}: y\r\n");
    }
    let answer = raw(&running, (request + "\r\n").as_bytes()).await?;
    ensure!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    Ok(())
}

async fn bytes() -> Result<()> {
    let running = start().await?;
    let answer = raw(
        &running,
        b"GET /env HTTP/1.1\r\nhost: a\r\nx-odd: \xff\xfe\r\nconnection: close\r\n\r\n",
    )
    .await?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(())
}

async fn h2() -> Result<()> {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let running = start().await?;
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Empty<bytes::Bytes>>();
    let response = client.get(running.url("/hello").parse()?).await?;
    ensure!(response.version() == http::Version::HTTP_2);
    let body = response.into_body().collect().await?.to_bytes();
    ensure!(&body[..] == b"hello, visitor 1\n", "{body:?}");
    Ok(())
}

async fn drain() -> Result<()> {
    let running = Arc::new(start().await?);
    let asking = running.clone();
    let slow = tokio::spawn(async move { asking.get("/sleep?ms=1000").await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer_after_stop = {
        let stopping = running.clone();
        stopping.begin_stop();
        slow.await??
    };
    ensure!(answer_after_stop.status == 200, "{answer_after_stop:?}");
    let refused = TcpStream::connect(running.address).await;
    ensure!(refused.is_err(), "new connections are still taken");
    let running = Arc::into_inner(running).ok_or_else(|| anyhow::anyhow!("still in use"))?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn streamed() -> Result<()> {
    let running = start().await?;
    let answer = running.get("/big-response?mib=64").await?;
    ensure!(
        answer.status == 200 && answer.body.len() == 64 << 20,
        "{} bytes",
        answer.body.len()
    );
    Ok(())
}
