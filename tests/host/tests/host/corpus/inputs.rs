//! Bytes at the front door that no client sends: each is answered by the client's fault or not at all.

mod frames;

use super::{
    table,
    world::{Ground, World},
};
use anyhow::{Context, Result, ensure};
use host_tests::MEMORY;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const REQUESTS: &str = include_str!("inputs/requests.txt");
/// The rest of a good request.
const HEAD: &str = "host: localhost\\r\\nconnection: close\\r\\n\\r\\n";
/// A guard against hanging alone.
const LONG: Duration = Duration::from_secs(60);
/// The beginning of a request after which the client sends no more.
const HALF: &[u8] = b"half ";

const EVIL: &str = "\
version: 1
apps:
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
    limits: { requestBody: 4KiB, cpuTime: 10s }
";

/// Name, expected answer and bytes.
fn rows() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let requests = table::lines(REQUESTS).into_iter();
    let requests = requests
        .map(|[name, end, text]| (name, end, table::unescaped(&text.replace("HEAD", HEAD))));
    requests.chain(frames::rows()).collect()
}

pub fn names() -> Vec<String> {
    rows()
        .into_iter()
        .map(|(name, ..)| name.to_owned())
        .collect()
}

pub async fn run() -> Result<()> {
    let ground = Ground::new()?;
    ground.guest("evil/hostile.wasm", "hostile")?;
    ground.write("evil/wythe.yaml", EVIL)?;
    ground.write("evil/resources/memory.yaml", MEMORY)?;
    let world = ground.start()?;
    let rows = rows().into_iter();
    let rows = rows.map(|(name, expected, bytes)| (name.to_owned(), (expected, bytes)));
    let send = async |(expected, bytes): (_, Vec<u8>)| send(&world, expected, &bytes).await;
    let ran = world.run(rows, send).await;
    world.end(ran).await
}

async fn send(world: &World, expected: &str, bytes: &[u8]) -> Result<()> {
    let answer = tokio::time::timeout(LONG, exchange(world, bytes)).await;
    let answer = answer.context("the connection stays open")??;
    let text = String::from_utf8_lossy(&answer);
    let shown: String = text.chars().take(300).collect();
    let status = text
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    let is_so = match expected {
        "closed" => answer.is_empty(),
        "refused" => answer.is_empty() || status.is_some_and(|status| status.starts_with('4')),
        "alone" => status == Some("200") && text.matches("HTTP/1.1 ").count() == 1,
        "broken" => text.contains("the stream broke off"),
        "goodbye" => frames::says_goodbye(&answer),
        "ended" => true,
        expected => status == Some(expected),
    };
    ensure!(is_so, "expected {expected}: {shown}");
    let root = world.ground.path().display().to_string();
    let words = [root.as_str(), ".yaml", "limits.", "panicked"];
    ensure!(!words.iter().any(|word| text.contains(word)), "{shown}");
    Ok(())
}

/// Sends bytes, and reads until the connection ends.
async fn exchange(world: &World, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(world.address()).await?;
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let (bytes, is_half) = match bytes.strip_prefix(HALF) {
        Some(bytes) => (bytes, true),
        None => (bytes, false),
    };
    let send = async {
        // The host may have heard enough before the end.
        let _ = writing.write_all(bytes).await;
        if is_half {
            let _ = writing.shutdown().await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = send => {}
        // A connection that is reset has ended, too.
        _ = reading.read_to_end(&mut answer) => {}
    }
    Ok(answer)
}
