//! Answers that nobody reads: over HTTP/1.1, in a window of nothing, and in process; their app is served again.

use super::{open, start};
use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, Running};
use libtest_mimic::Trial;
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const LIMITS: &str = "concurrency: 2, wallTime: 20s, stallTime: 300ms";

pub fn trials() -> Vec<Trial> {
    vec![
        case("answers::an_unread_one_ends_over_http_1", h1),
        case("answers::an_unread_one_ends_over_http_2", h2),
        case("answers::an_unread_one_ends_in_process", inside),
    ]
}

async fn is_served(running: &Running, path: &str) -> Result<()> {
    let answer = running.get(path).await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

async fn h1() -> Result<()> {
    let running = start(LIMITS).await?;
    let mut held = Vec::new();
    for _ in 0..6 {
        held.push(open(&running, "/big-response?mib=64").await?);
    }
    is_served(&running, "/env").await?;
    // The connections go, too; a write to one that is gone says so.
    for mut connection in held {
        let gone = async {
            while connection.write_all(b" ").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), gone).await?;
    }
    Ok(())
}

async fn h2() -> Result<()> {
    let running = start(LIMITS).await?;
    let mut client = TcpStream::connect(running.address).await?;
    client
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await?;
    // SETTINGS_INITIAL_WINDOW_SIZE is 0.
    client
        .write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]))
        .await?;
    for stream in 0..6 {
        let headers = headers("/big-response?mib=1");
        client
            .write_all(&frame(1, 5, 1 + 2 * stream, &headers))
            .await?;
    }
    is_served(&running, "/env").await
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Literals without indexing, as short as HPACK has them.
fn headers(path: &str) -> Vec<u8> {
    let mut block = Vec::new();
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
    ];
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
            block.extend(text.as_bytes());
        }
    }
    block
}

async fn inside() -> Result<()> {
    let apps = format!(
        "  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: {{ state: [statestore], publish: [pubsub], invoke: [victim], http: [] }}
  - appID: victim
    guest: hostile.wasm
    ingress: /victim
    grants: {{ state: [statestore], publish: [pubsub], invoke: [victim], http: [] }}
    limits: {{ {LIMITS} }}
"
    );
    let running = Arc::new(Project::new(&apps).with("memory", MEMORY).start().await?);
    let attacker = running.clone();
    let url = "http://victim.wythe.internal/big-response?mib=64";
    let attack = tokio::spawn(async move {
        let path = format!("/hold?url={url}&count=2&ms=25000");
        attacker.get(&path).await
    });
    // Until the attack is under way this is served anyhow.
    for _ in 0..20 {
        // The victim knows no path below its prefix, which is an answer.
        let answer = running.get("/victim").await?;
        ensure!(answer.status == 404, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    attack.abort();
    Ok(())
}
