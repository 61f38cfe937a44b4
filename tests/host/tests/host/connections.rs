//! Connections that do nothing, in a host with few file descriptors: others are answered all the same.

use crate::outside;
use crate::{
    case,
    crash::{Process, command, start},
};
use anyhow::{Context, Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    sync::atomic::Ordering,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

const APPS: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
";
/// Descriptors of the host under test.
const DESCRIPTORS: usize = 128;
/// A limit against hanging alone.
const LONG: Duration = Duration::from_secs(60);
const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const ASK: &[u8] = b"GET /env HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

pub fn trials() -> Vec<Trial> {
    vec![
        case("connections::idle_ones_make_room_for_others", idle),
        case(
            "connections::busy_ones_of_a_peer_leave_room_for_others",
            busy,
        ),
        case(
            "connections::the_soft_limit_of_descriptors_is_raised",
            raised,
        ),
        case("connections::idle_ones_of_the_metrics_make_room", metrics),
        case("connections::requests_of_a_guest_are_few", outgoing),
        case("connections::a_list_of_many_folders_opens_few", folders),
    ]
}

/// A host with a limit of descriptors, as `ulimit` sets it.
fn host(project: &Project, limit: &str, more: &[&str]) -> Result<(Process, SocketAddr)> {
    let own = command();
    let mut limited = Command::new("sh");
    limited.envs(
        own.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let script = format!("ulimit {limit} && exec \"$0\" \"$@\"");
    limited.args(["-c", &script]).arg(own.get_program());
    let process = start(limited, project.path(), more)?;
    let address = process.url.strip_prefix("http://").context("an address")?;
    let address = address.parse()?;
    Ok((process, address))
}

fn project() -> Project {
    Project::new(APPS).with("memory", MEMORY)
}

async fn connect(from: IpAddr, to: SocketAddr, sent: &[u8]) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(from, 0))?;
    let mut stream = timeout(LONG, socket.connect(to)).await??;
    stream.write_all(sent).await?;
    Ok(stream)
}

async fn ask(from: IpAddr, to: SocketAddr) -> Result<String> {
    let mut stream = connect(from, to, ASK).await?;
    let mut answer = String::new();
    let read = timeout(LONG, stream.read_to_string(&mut answer)).await;
    read.context("no answer")??;
    Ok(answer)
}

/// More silent connections than the host has descriptors, from one peer.
async fn silent(to: SocketAddr) -> Result<Vec<TcpStream>> {
    let mut silent = Vec::new();
    for sent in [b"".as_slice(), b"PRI * HTT", b"GET / HTTP/1.1\r\n"].repeat(DESCRIPTORS / 2) {
        silent.push(connect(ONE, to, sent).await?);
    }
    Ok(silent)
}

async fn idle() -> Result<()> {
    let project = project();
    let (mut process, address) = host(&project, &format!("-n {DESCRIPTORS}"), &[])?;
    let silent = silent(address).await?;
    for from in [ONE, OTHER] {
        let answer = ask(from, address).await?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    drop(silent);
    Ok(process.child.kill()?)
}

async fn busy() -> Result<()> {
    let project = project();
    let (mut process, address) = host(&project, &format!("-n {DESCRIPTORS}"), &[])?;
    let begun =
        b"POST /read-body HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..DESCRIPTORS {
        let mut stream = connect(ONE, address, begun).await?;
        // The guest waits for the body, or there is no place for this one.
        let mut said = [0; 12];
        let _ = timeout(LONG, stream.read_exact(&mut said)).await?;
        held.push((stream, said.starts_with(b"HTTP/1.1 100")));
    }
    let busy = held.iter().filter(|(_, taken)| *taken).count();
    ensure!(busy == DESCRIPTORS / 4, "{busy} of one peer were taken");
    let answer = ask(OTHER, address).await?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(process.child.kill()?)
}

async fn raised() -> Result<()> {
    let project = project();
    let (mut process, address) = host(&project, "-Sn 64", &[])?;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.child.id()))?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    ensure!(soft.is_some_and(|soft| soft != "64"), "{limits}");
    ensure!(ask(ONE, address).await?.starts_with("HTTP/1.1 200 "));
    Ok(process.child.kill()?)
}

/// The host keeps descriptors for others whatever one call asks for.
async fn outgoing() -> Result<()> {
    let (to, accepted) = outside::holding().await?;
    let granted = APPS.replace("http: []", &format!("http: [\"{to}\"]"));
    let project = Project::new(&granted).with("memory", MEMORY);
    let (mut process, address) = host(&project, &format!("-n {DESCRIPTORS}"), &[])?;
    // A quarter of the descriptors is for requests, of which half is one app's.
    let limit = DESCRIPTORS / 8;
    let path = format!(
        "/outgoing?count=200&refused={}&url=http://{to}/",
        200 - limit
    );
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let mut stream = connect(ONE, address, request.as_bytes()).await?;
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await??;
    ensure!(
        answer.ends_with("200 of 200: ErrorCode::ConnectionLimitReached"),
        "{answer}"
    );
    let accepted = accepted.load(Ordering::SeqCst);
    ensure!(accepted <= limit, "{accepted} connections");
    ensure!(ask(ONE, address).await?.starts_with("HTTP/1.1 200 "));
    Ok(process.child.kill()?)
}

async fn metrics() -> Result<()> {
    let project = project();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await?
        .local_addr()?;
    let more = ["--metrics", &free.to_string()];
    let (mut process, address) = host(&project, &format!("-n {DESCRIPTORS}"), &more)?;
    let silent = silent(free).await?;
    let mut stream = connect(
        ONE,
        free,
        b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await?;
    let mut answer = String::new();
    timeout(LONG, stream.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    ensure!(ask(ONE, address).await?.starts_with("HTTP/1.1 200 "));
    drop(silent);
    Ok(process.child.kill()?)
}

const FILES: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: files }
spec:
  type: bindings.localstorage
  version: v1
  metadata: [{ name: rootPath, value: ../files }]
";

async fn folders() -> Result<()> {
    let project = project().with("files", FILES);
    for number in 0..2 * DESCRIPTORS {
        project.write(&format!("files/{number:03}/file"), "");
    }
    let (mut process, _) = host(&project, &format!("-n {DESCRIPTORS}"), &[])?;
    let mut list = command();
    list.args(["bindings", "invoke", "files", "list", "--project"]);
    let listed = list.arg(project.path()).output()?;
    let text = String::from_utf8_lossy(&listed.stdout);
    let names: Vec<String> = serde_json::from_str(&text)
        .with_context(|| format!("{text}{}", String::from_utf8_lossy(&listed.stderr)))?;
    ensure!(names.len() == 2 * DESCRIPTORS, "{names:?}");
    Ok(process.child.kill()?)
}
