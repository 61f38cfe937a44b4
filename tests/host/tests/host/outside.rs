//! Peers outside that do not answer as they should, and what a guest hears of them.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, Running};
use http::Method;
use libtest_mimic::Trial;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub fn trials() -> Vec<Trial> {
    vec![
        case("outside::interim_answers_without_end_are_given_up", interim),
        case("outside::the_timeouts_of_a_guest_are_kept", timeouts),
        case("outside::a_user_in_a_uri_is_not_sent", user),
        case("outside::a_request_goes_on_with_the_trace", trace),
    ]
}

/// A server that takes connections and keeps them, and how many they were.
pub async fn holding() -> Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, accepted) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
    let count = accepted.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    Ok((address, accepted))
}

/// A server that sends a text once, then another one again and again; it counts how many bytes it got rid of.
async fn saying(
    first: &'static str,
    again: &'static str,
) -> Result<(SocketAddr, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, sent) = (listener.local_addr()?, Arc::new(AtomicUsize::new(0)));
    let count = sent.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(say(stream, first, again, count.clone()));
        }
    });
    Ok((address, sent))
}

async fn say(mut stream: TcpStream, first: &str, again: &str, sent: Arc<AtomicUsize>) {
    let mut asked = [0; 1024];
    let _ = stream.read(&mut asked).await;
    let _ = stream.write_all(first.as_bytes()).await;
    let again = again.repeat(100);
    while stream.write_all(again.as_bytes()).await.is_ok() {
        sent.fetch_add(again.len(), Ordering::SeqCst);
        if again.is_empty() {
            std::future::pending::<()>().await;
        }
    }
}

async fn host(to: SocketAddr) -> Result<Running> {
    let apps = format!(
        "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: {{ state: [statestore], publish: [pubsub], invoke: [hostile], http: [\"{to}\"] }}
"
    );
    Project::new(&apps).with("memory", MEMORY).start().await
}

async fn interim() -> Result<()> {
    let (to, sent) = saying("", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await?;
    let running = host(to).await?;
    let answer = running.get(&format!("/patience?url=http://{to}/")).await?;
    ensure!(
        answer.text() == "no answer: ErrorCode::HttpProtocolError",
        "{answer:?}"
    );
    // What was read, and what lies in the buffers of both sockets.
    let sent = sent.load(Ordering::SeqCst);
    ensure!(sent < 32 << 20, "{sent} bytes");
    Ok(())
}

async fn timeouts() -> Result<()> {
    let (to, _) = holding().await?;
    let running = host(to).await?;
    let answer = running
        .get(&format!("/patience?url=http://{to}/&first=100"))
        .await?;
    ensure!(
        answer.text() == "no answer: ErrorCode::HttpResponseTimeout",
        "{answer:?}"
    );
    let (to, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", "").await?;
    let running = host(to).await?;
    let answer = running
        .get(&format!("/patience?url=http://{to}/&between=100"))
        .await?;
    let text = answer.text();
    ensure!(
        text.starts_with("200 with 4 bytes, then ") && !text.ends_with("Closed"),
        "{text}"
    );
    Ok(())
}

/// The head of the one request that a server is asked.
pub async fn asked(listener: TcpListener) -> Result<String> {
    let (mut stream, _) = listener.accept().await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer).await?;
    Ok(String::from_utf8(head)?)
}

async fn trace() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let to = listener.local_addr()?;
    let running = host(to).await?;
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = [
        ("traceparent", format!("00-{id}-00f067aa0ba902b7-01")),
        ("tracestate", "vendor=1".to_owned()),
        ("baggage", "user=7".to_owned()),
    ];
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, text)| (*name, &**text))
        .collect();
    let path = format!("/fetch?url=http://{to}/");
    let (head, answer) = tokio::join!(
        asked(listener),
        running.send(Method::GET, &path, &headers, "")
    );
    ensure!(answer?.status == 200);
    let head = head?;
    let parent = format!("traceparent: 00-{id}-");
    ensure!(
        head.contains(&parent) && !head.contains("00f067aa0ba902b7"),
        "{head}"
    );
    ensure!(head.contains("tracestate: vendor=1"), "{head}");
    // Baggage may be meant for the apps alone.
    ensure!(!head.contains("baggage"), "{head}");
    Ok(())
}

async fn user() -> Result<()> {
    let (to, accepted) = holding().await?;
    let running = host(to).await?;
    let answer = running
        .get(&format!("/patience?url=http://me:word@{to}/"))
        .await?;
    ensure!(
        answer.text() == "no answer: ErrorCode::HttpRequestUriInvalid",
        "{answer:?}"
    );
    ensure!(accepted.load(Ordering::SeqCst) == 0);
    Ok(())
}
