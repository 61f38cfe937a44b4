//! Clients that speak HTTP/2 to wear the host out: it lives, its memory is bounded, and neighbours are answered.

mod frames;

use crate::{
    case,
    crash::{Process, command, start},
};
use anyhow::{Context, Result, ensure};
use frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS,
    UNKNOWN, WINDOW_UPDATE, asking, fields, frame, frames, get, hello,
};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const APPS: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
    limits: { stallTime: 2s, wallTime: 20s }
";
/// A limit against hanging alone.
const LONG: Duration = Duration::from_secs(120);
/// Time after which a host that takes nothing more is believed to hold the client back.
const HELD_BACK: Duration = Duration::from_secs(3);
/// Bytes that the host's memory may grow by, whatever a client sends.
const GROWTH: usize = 96 << 20;
/// Codes of errors (RFC 9113, section 7).
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const ENHANCE_YOUR_CALM: u32 = 11;

/// Setting of the window of each stream.
const INITIAL_WINDOW: u16 = 4;

pub fn trials() -> Vec<Trial> {
    vec![
        case("floods::rapid_reset_ends_the_connection", rapid_reset),
        case("floods::continuations_without_an_end", continuations),
        case("floods::pings_and_settings", pings),
        case("floods::frames_that_say_nothing", nothing),
        case("floods::windows_that_overflow_or_do_not_open", windows),
        case("floods::headers_that_unpack_to_more", unpacked),
        case("floods::an_answer_that_is_taken_byte_by_byte", drip),
    ]
}

/// A host in a process of its own.
struct Flooded {
    process: Process,
    address: SocketAddr,
    /// Its memory before anybody was hostile.
    before: usize,
    _project: Project,
}

impl Flooded {
    async fn start() -> Result<Self> {
        let project = Project::new(APPS).with("memory", MEMORY);
        let process = start(command(), project.path(), &[])?;
        let address = process.url.strip_prefix("http://").context("an address")?;
        let address = address.parse()?;
        let mut host = Flooded {
            process,
            address,
            before: 0,
            _project: project,
        };
        host.is_answered().await?;
        host.before = host.memory("VmRSS:")?;
        Ok(host)
    }

    /// A neighbour's request by a connection of its own.
    async fn is_answered(&self) -> Result<()> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream
            .write_all(b"GET /env HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        let read = timeout(LONG, stream.read_to_string(&mut answer)).await;
        read.context("a neighbour is not answered")??;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        Ok(())
    }

    fn memory(&self, line: &str) -> Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.child.id()))?;
        let mut lines = status.lines();
        let found = lines.find_map(|one| one.strip_prefix(line));
        let number = found.and_then(|rest| rest.split_whitespace().next());
        Ok(number.context("a line of memory")?.parse::<usize>()? << 10)
    }

    /// Neighbours are answered, and the memory has never grown by more than it may.
    async fn ends_well(mut self) -> Result<()> {
        self.is_answered().await?;
        let growth = self.memory("VmHWM:")?.saturating_sub(self.before);
        ensure!(growth < GROWTH, "the host grew by {} MiB", growth >> 20);
        Ok(self.process.child.kill()?)
    }

    /// Sends frames until all are taken, the host has enough, or it takes nothing more for a while. The answer is what it
    /// said, as far as somebody reads it. A neighbour asks meanwhile.
    async fn flood(
        &self,
        hello: &[u8],
        reads: bool,
        frames: impl Iterator<Item = Vec<u8>>,
    ) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(hello).await?;
        let (mut from, mut to) = stream.into_split();
        let reading = tokio::spawn(async move {
            let mut said = Vec::new();
            let mut piece = [0; 16 << 10];
            while reads
                && let Ok(count) = from.read(&mut piece).await
                && count > 0
            {
                // A host that says a great deal is not remembered for all of it.
                if said.len() < 1 << 20 {
                    said.extend(&piece[..count]);
                }
            }
            (said, from)
        });
        let mut frames = frames.peekable();
        let mut round = 0;
        while frames.peek().is_some() {
            let piece: Vec<u8> = frames.by_ref().take(1_000).flatten().collect();
            match timeout(HELD_BACK, to.write_all(&piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => break,
            }
            if round % 64 == 0 {
                self.is_answered().await?;
            }
            round += 1;
        }
        self.is_answered().await?;
        drop(to);
        let said = timeout(LONG, reading).await;
        Ok(said
            .context("the host does not let go of the connection")??
            .0)
    }
}

/// The code with which the host ended a connection.
fn goaway(said: &[u8]) -> Option<u32> {
    let all = frames(said);
    let (_, payload) = all.iter().rfind(|(kind, _)| *kind == GOAWAY)?;
    let code = payload.get(4..8)?.try_into().ok()?;
    Some(u32::from_be_bytes(code))
}

/// Streams of a client, which have odd numbers.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|number| 2 * number + 1)
}

async fn rapid_reset() -> Result<()> {
    let host = Flooded::start().await?;
    let cancel = 8_u32.to_be_bytes();
    for path in ["/env", "/sleep?ms=10000", "/nowhere"] {
        let resets = streams(200_000).map(|stream| {
            let reset = frame(RST_STREAM, 0, stream, &cancel);
            [get(stream, path), reset].concat()
        });
        let said = host.flood(&hello(&[]), true, resets).await?;
        let code = goaway(&said);
        ensure!(code == Some(ENHANCE_YOUR_CALM), "{path}: {code:?}");
    }
    host.ends_well().await
}

async fn continuations() -> Result<()> {
    let host = Flooded::start().await?;
    let fill = fields(&[("x-a", "b")]);
    for payload in [fill.as_slice(), &[]] {
        let begin = frame(HEADERS, 0, 1, &asking("GET", "/env"));
        let more = (0..1_000_000).map(|_| frame(CONTINUATION, 0, 1, payload));
        let said = host
            .flood(&hello(&[]), true, std::iter::once(begin).chain(more))
            .await?;
        let code = goaway(&said);
        ensure!(code == Some(ENHANCE_YOUR_CALM), "{code:?}");
    }
    host.ends_well().await
}

/// Answers to pings are made no faster than they are taken.
async fn pings() -> Result<()> {
    let host = Flooded::start().await?;
    for kind in [PING, SETTINGS] {
        for reads in [true, false] {
            let payload: &[u8] = if kind == PING { b"pingpong" } else { &[] };
            let frames = (0..1_000_000).map(|_| frame(kind, 0, 0, payload));
            host.flood(&hello(&[]), reads, frames).await?;
        }
    }
    // Answers to nothing.
    let acks = (0..300_000).map(|_| frame(PING, ACK, 0, b"pingpong"));
    host.flood(&hello(&[]), true, acks).await?;
    host.ends_well().await
}

async fn nothing() -> Result<()> {
    let host = Flooded::start().await?;
    let post = frame(HEADERS, END_HEADERS, 1, &asking("POST", "/read-body"));
    let begin = [hello(&[]), post].concat();
    let kinds: [(u8, u32, &[u8]); 4] = [
        (DATA, 1, b""),
        (PRIORITY, 3, &[0, 0, 0, 0, 1]),
        (UNKNOWN, 0, b""),
        (UNKNOWN, 1, &[0; 512]),
    ];
    for (kind, stream, payload) in kinds {
        let frames = (0..500_000).map(|_| frame(kind, 0, stream, payload));
        host.flood(&begin, true, frames).await?;
    }
    host.ends_well().await
}

async fn windows() -> Result<()> {
    let host = Flooded::start().await?;
    let most = 0x7fff_ffff_u32.to_be_bytes();
    for (increment, expected) in [(most, FLOW_CONTROL_ERROR), ([0; 4], PROTOCOL_ERROR)] {
        let updates = (0..10).map(|_| frame(WINDOW_UPDATE, 0, 0, &increment));
        let said = host.flood(&hello(&[]), true, updates).await?;
        let code = goaway(&said);
        ensure!(code == Some(expected), "{code:?}");
    }
    // The window of all streams up and down, with answers that wait for room.
    let asked: Vec<u8> = streams(100)
        .flat_map(|stream| get(stream, "/big-response?mib=1"))
        .collect();
    let begin = [hello(&[(INITIAL_WINDOW, 0)]), asked].concat();
    let games = (0..200_000_u32).map(|number| {
        let window = number % 2;
        let payload = [
            INITIAL_WINDOW.to_be_bytes().as_slice(),
            &window.to_be_bytes(),
        ]
        .concat();
        frame(SETTINGS, 0, 0, &payload)
    });
    host.flood(&begin, true, games).await?;
    host.ends_well().await
}

/// One field of the table, said again and again by a byte each.
async fn unpacked() -> Result<()> {
    let host = Flooded::start().await?;
    let value = "v".repeat(100);
    let mut block = asking("GET", "/env");
    // A literal that goes into the table, as its newest entry, which has the number 62.
    block.extend([0x40, 3]);
    block.extend(b"x-a");
    block.push(100);
    block.extend(value.as_bytes());
    block.extend(std::iter::repeat_n(0x80 | 62, 15_000));
    let bombs = streams(2_000).map(|stream| frame(HEADERS, END_HEADERS | 1, stream, &block));
    host.flood(&hello(&[]), true, bombs).await?;
    host.ends_well().await
}

/// Windows are opened by a byte: the answers end by `limits.stallTime`, and their places are free.
async fn drip() -> Result<()> {
    let host = Flooded::start().await?;
    let asked: Vec<u8> = streams(100)
        .flat_map(|stream| get(stream, "/big-response?mib=64"))
        .collect();
    let begin = [hello(&[(INITIAL_WINDOW, 0)]), asked].concat();
    let byte = 1_u32.to_be_bytes();
    let updates = (0..2_000)
        .flat_map(|_| streams(100))
        .map(|stream| frame(WINDOW_UPDATE, 0, stream, &byte));
    host.flood(&begin, true, updates).await?;
    host.ends_well().await
}
