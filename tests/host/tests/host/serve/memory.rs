//! Memory that a guest makes the host hold: when an attack is over, nothing of it is held, and more attacks make the
//! process no larger.

use super::quotas::{EVIL, neighbour, used};
use super::root::{MEMORY, Root, Served};
use crate::case;
use anyhow::{Context, Result, bail};
use host_tests::{client, request};
use http::Method;
use libtest_mimic::Trial;
use std::{fs, time::Duration};
use tokio::io::AsyncWriteExt as _;

/// Kinds of memory that is the host's and a guest's doing, with a path that fills it, and the clients that ask.
const KINDS: [(&str, &str, usize); 9] = [
    ("memory of instances", "/alloc?mib=48", 8),
    (
        "an answer that is made faster than it is read",
        "/big-response?mib=16",
        8,
    ),
    ("one long string", "/big-string?mib=8", 8),
    ("header fields", "/fields?count=4000&bytes=60000", 8),
    ("handles", "/leak-handles?kind=statestore&count=100000", 8),
    (
        "an answer of many values",
        "/get-many?count=20&bytes=1048576",
        4,
    ),
    ("lines of the log", "/log-flood?mib=4", 4),
    ("lines of an output", "/stdout-flood?mib=4", 4),
    ("instances that trap", "/trap", 64),
];
/// Bytes of a request's body that nobody reads, below the `limits.requestBody` of the app.
const BODY: usize = 3 << 20;
const ROUNDS: usize = 3;
/// Further such rounds, where the process is larger after the first.
const MORE: usize = 3;
/// Percent by which the process may be larger: what is freed stays with the allocator for a while, in pieces of each thread.
const SLACK: u64 = 30;

pub fn trials() -> Vec<Trial> {
    vec![case("serve::nothing_is_held_after_an_attack", comes_back)]
}

async fn comes_back() -> Result<()> {
    let root = Root::new();
    root.hello("bank");
    root.guest("evil/hostile.wasm", "hostile");
    root.write("evil/resources/memory.yaml", MEMORY);
    root.write("evil/wythe.yaml", EVIL);
    let served = root.serve(&[])?;
    // Threads, pools and caches come with the first of each.
    for _ in 0..ROUNDS {
        attack(&served).await?;
    }
    let before = settled(&served, 0).await?;
    again(&served).await?;
    for quota in [
        "calls",
        "waitingCalls",
        "instances",
        "memory",
        "hostMemory",
        "outgoingRequests",
        "outgoingHosts",
    ] {
        used(&served, quota, 0).await?;
    }
    let limit = before + before * SLACK / 100;
    let mut after = settled(&served, limit).await?;
    // What is kept of each attack grows with each more; what the allocator has left over goes up and down.
    for _ in 0..MORE {
        if after <= limit {
            return Ok(());
        }
        again(&served).await?;
        after = settled(&served, limit).await?;
    }
    bail!("{after} KiB after the attacks, {before} KiB before them")
}

/// Attacks some times, with a look at the neighbour after each.
async fn again(served: &Served) -> Result<()> {
    for _ in 0..ROUNDS {
        attack(served).await?;
        neighbour(served).await?;
    }
    Ok(())
}

async fn attack(served: &Served) -> Result<()> {
    for (kind, path, clients) in KINDS {
        let path = format!("/evil{path}");
        let asked = (0..clients).map(|_| served.get("localhost", &path));
        for answer in futures::future::join_all(asked).await {
            // Whatever it is, it is an answer, or one that was cut.
            drop(answer.map(|answer| answer.status));
        }
        let said = served.said("localhost", "/bank/").await;
        said.with_context(|| format!("the neighbour after {kind}"))?;
    }
    let bodies = (0..16).map(|_| unread(served));
    futures::future::join_all(bodies).await;
    let leaving = (0..16).map(|_| left(served));
    futures::future::join_all(leaving).await;
    Ok(())
}

/// A body that the guest does not look at.
async fn unread(served: &Served) {
    let url = format!("{}/evil/sleep?ms=200", served.url);
    // It may be refused.
    let _ = request(&client(), Method::POST, &url, &[], vec![b'x'; BODY]).await;
}

/// A client that asks for much and leaves before any of it has come.
async fn left(served: &Served) {
    let address = served.url.trim_start_matches("http://");
    if let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
        let asked = b"GET /evil/big-response?mib=64 HTTP/1.1\r\nhost: localhost\r\n\r\n";
        // It leaves either way.
        let _ = stream.write_all(asked).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Resident KiB of the host, once they are at most so many or do not change any more.
async fn settled(served: &Served, limit: u64) -> Result<u64> {
    let mut last = resident(served)?;
    for _ in 0..20 {
        // Instances whose clients left go on for `limits.afterTime`, 5 s.
        tokio::time::sleep(Duration::from_millis(500)).await;
        last = resident(served)?;
        if last <= limit {
            break;
        }
    }
    Ok(last)
}

fn resident(served: &Served) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", served.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.context("no VmRSS")?.parse().context("VmRSS")
}
