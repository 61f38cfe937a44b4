//! (g) Neighbours: how long one app's requests take while another app's calls do nothing but compute.

use crate::{
    Scale,
    child::{Job, Server, scratch},
    load::Client,
    measure::Latencies,
    project::Project,
    report::{Aim, Row, Section},
};
use anyhow::Result;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

/// The spinners may go on for longer than the measurement.
const APPS: &str = "  - appID: plain
    guest: plain.wasm
    ingress: /
  - appID: hostile
    guest: hostile.wasm
    ingress: /spin
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
    limits: { cpuTime: 1h, wallTime: 1h, concurrency: 64 }
";
const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.memory, version: v1 }
";
const SPINNERS: [usize; 3] = [0, 8, 64];
const TIME: Duration = Duration::from_secs(4);
/// Requests begin on time, whether earlier ones were answered or not: 400 a second over all connections.
const CONNECTIONS: u32 = 40;
const PERIOD: Duration = Duration::from_millis(100);
const P99_AIM: Aim = Aim::AtMost(20.0, "ms p99");

pub fn measure(scale: Scale) -> Result<Section> {
    let mut section =
        Section::new("(g) requests of one app, 400 a second, while another app's calls spin");
    for spinners in SPINNERS {
        let (mut latencies, missed) = round(spinners, scale.time(TIME))?;
        let (median, p99) = (latencies.at(0.5) / 1e3, latencies.at(0.99) / 1e3);
        let measured = format!("p50 {median:.2} ms, p99 {p99:.2} ms, {missed} failed");
        let row = Row::new(format!("{spinners} calls spin"), measured);
        section.rows.push(match spinners {
            0 => row,
            _ => row.aim(P99_AIM, p99),
        });
    }
    Ok(section)
}

/// Latencies from the moment at which each request was due, and how many failed.
fn round(spinners: usize, time: Duration) -> Result<(Latencies, u64)> {
    let directory = scratch()?;
    Project::write(directory.path(), APPS, RESOURCES)?;
    let server: Server = Job::Wythe(directory.path().to_owned()).serve()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let spinning = spin(server.address, spinners).await?;
        let mut connections = JoinSet::new();
        let begin = Instant::now();
        for number in 0..CONNECTIONS {
            let first = begin + PERIOD * number / CONNECTIONS;
            connections.spawn(connection(server.address, first, begin + time));
        }
        let (mut latencies, mut failed) = (Latencies::default(), 0);
        while let Some(ended) = connections.join_next().await {
            match ended? {
                Ok(more) => latencies.merge(more),
                Err(_) => failed += 1,
            }
        }
        drop(spinning);
        Ok((latencies, failed))
    })
}

/// Requests that are never answered, on connections that are held open.
async fn spin(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /spin HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await?;
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(streams)
}

async fn connection(address: SocketAddr, first: Instant, until: Instant) -> Result<Latencies> {
    let mut client = Client::connect(address).await?;
    let mut latencies = Latencies::default();
    let mut due = first;
    while due < until {
        tokio::time::sleep_until(due.into()).await;
        client.get().await?;
        latencies.add(due.elapsed());
        due += PERIOD;
    }
    Ok(latencies)
}
