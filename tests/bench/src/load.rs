//! A small HTTP/1.1 load generator: connections that are kept alive, one request at a time on each.

use crate::measure::Latencies;
use anyhow::{Context, Result, bail, ensure};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

pub const CONNECTIONS: usize = 32;

/// The result of a load.
pub struct Load {
    pub requests: u64,
    pub wall: Duration,
    pub latencies: Latencies,
}

impl Load {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }
}

/// Asks for `/` as fast as the server answers, from one thread.
pub fn run(address: SocketAddr, time: Duration) -> Result<Load> {
    run_at(&At::clear(address, "/"), time)
}

/// Does what [`run`] does, there.
pub fn run_at(at: &At, time: Duration) -> Result<Load> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut connections = JoinSet::new();
        let begin = Instant::now();
        for _ in 0..CONNECTIONS {
            connections.spawn(connection(at.clone(), begin + time));
        }
        let mut latencies = Latencies::default();
        while let Some(ended) = connections.join_next().await {
            latencies.merge(ended??);
        }
        let (requests, wall) = (latencies.len(), begin.elapsed());
        Ok(Load {
            requests,
            wall,
            latencies,
        })
    })
}

async fn connection(at: At, until: Instant) -> Result<Latencies> {
    let mut client = Client::open(&at).await?;
    let mut latencies = Latencies::default();
    loop {
        let begin = Instant::now();
        if begin >= until {
            return Ok(latencies);
        }
        client.get().await?;
        latencies.add(begin.elapsed());
    }
}

/// Connections of [`on_time`] for one path, and the requests a second over all connections.
const ON_TIME: usize = 40;
const PER_SECOND: u32 = 400;

/// Asks for a path 400 times a second. Requests begin on time, whether earlier ones were answered or not: the latencies are
/// from the moment at which each was due, with how many connections failed.
pub async fn on_time(address: SocketAddr, path: &str, time: Duration) -> Result<(Latencies, u64)> {
    on_time_of(address, &vec![path.to_owned(); ON_TIME], time).await
}

/// Does what [`on_time`] does, with a connection for each of these paths, which share the 400 requests a second.
pub async fn on_time_of(
    address: SocketAddr,
    paths: &[String],
    time: Duration,
) -> Result<(Latencies, u64)> {
    let all = u32::try_from(paths.len())?;
    let period = Duration::from_secs(1) * all / PER_SECOND;
    let mut clients = Vec::new();
    for path in paths {
        clients.push(Client::connect_to(address, path).await?);
    }
    let (begin, mut connections) = (Instant::now(), JoinSet::new());
    for (number, client) in (0..).zip(clients) {
        let first = begin + period * number / all;
        connections.spawn(periodic(client, period, first, begin + time));
    }
    let (mut latencies, mut failed) = (Latencies::default(), 0);
    while let Some(ended) = connections.join_next().await {
        match ended? {
            Ok(more) => latencies.merge(more),
            Err(_) => failed += 1,
        }
    }
    Ok((latencies, failed))
}

async fn periodic(
    mut client: Client,
    period: Duration,
    first: Instant,
    until: Instant,
) -> Result<Latencies> {
    let (mut latencies, mut due) = (Latencies::default(), first);
    while due < until {
        tokio::time::sleep_until(due.into()).await;
        client.get().await?;
        latencies.add(due.elapsed());
        due += period;
    }
    Ok(latencies)
}

/// The target of requests: an address, a path, and the name that is asked for over TLS.
#[derive(Clone)]
pub struct At {
    pub address: SocketAddr,
    pub path: String,
    pub tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl At {
    pub fn clear(address: SocketAddr, path: &str) -> Self {
        At {
            address,
            path: path.to_owned(),
            tls: None,
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Client {
    /// A connection in clear that asks for this path.
    pub async fn connect_to(address: SocketAddr, path: &str) -> Result<Self> {
        Self::open(&At::clear(address, path)).await
    }

    pub async fn open(at: &At) -> Result<Self> {
        let stream = TcpStream::connect(at.address).await;
        let stream = stream.context("the server does not accept")?;
        stream.set_nodelay(true)?;
        let (stream, host): (Box<dyn Stream>, _) = match &at.tls {
            None => (Box::new(stream), "localhost".into()),
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await?;
                (Box::new(stream), name.to_str())
            }
        };
        let path = &at.path;
        Ok(Client {
            stream,
            request: format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(),
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Reads one whole answer, which has to be a 200.
    pub async fn get(&mut self) -> Result<()> {
        self.stream.write_all(&self.request).await?;
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            ensure!(read > 0, "the server closed the connection");
            if is_whole(&self.buffer)? {
                break;
            }
        }
        if !self.buffer.starts_with(b"HTTP/1.1 200") {
            bail!(
                "the server answered {}",
                String::from_utf8_lossy(&self.buffer)
            );
        }
        Ok(())
    }
}

fn is_whole(answer: &[u8]) -> Result<bool> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(false);
    };
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if let Some((_, rest)) = head.split_once("content-length:") {
        let length: usize = rest.lines().next().unwrap_or_default().trim().parse()?;
        return Ok(body.len() >= length);
    }
    ensure!(
        head.contains("transfer-encoding: chunked"),
        "an answer without a length: {head}"
    );
    Ok(body.ends_with(b"0\r\n\r\n"))
}
