//! (h) Tenants: the CPU that each gets while all compute, and how long one waits while another spins.

use crate::{
    Scale,
    child::{Job, Server, scratch},
    load::{Client, on_time},
    measure::Latencies,
    project::Project,
    report::{Aim, Row, Section},
};
use anyhow::{Context, Result};
use std::{
    collections::BTreeSet,
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wythe_api::{Audience, Ingress};
use wythe_blocks::{Entrance, Host, KnownBy, Settings};
use wythe_manifest::load_host_file;
use wythe_runtime::{Options, Runtime};

const APPS: &str = "  - appID: plain
    guest: plain.wasm
    ingress: /plain
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    limits: { cpuTime: 1h, wallTime: 1h }
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
";
const TIME: Duration = Duration::from_secs(8);
/// Work of some ticks of 2 ms, the same for every call. Shorter calls never wait for a slice, and are not shared by tenant.
const WORK: &str = "/burn?rounds=30000000";
const SPIN: &str = "/spin";

pub fn measure(scale: Scale) -> Result<Section> {
    let mut section = Section::new("(h) tenants that share the CPU of one host");
    let time = scale.time(TIME);
    let calls: Vec<_> = (0..16)
        .map(|number| (100, [1, 2, 8, 32][number % 4]))
        .collect();
    // Of 32 calls in turn, all come to their end at about the same time: there must be many such times.
    let done = compute(&calls, time * 5)?;
    let (least, most) = (done.iter().copied().min(), done.iter().copied().max());
    let (least, most) = (least.unwrap_or(0) as f64, most.unwrap_or(0) as f64);
    let mean = done.iter().sum::<u64>() as f64 / done.len() as f64;
    let spread = ((most - mean) / mean).max((mean - least) / mean);
    section.rows.push(
        Row::new(
            "16 tenants with 1, 2, 8 or 32 calls at a time",
            format!("{least} to {most} calls each, {mean:.0} on average"),
        )
        .ratio(format!("{:.1} % off", spread * 100.0))
        .aim(Aim::AtMost(0.1, "off the average"), spread),
    );
    let done = compute(&[(300, 8), (100, 8)], time)?;
    let ratio = done[0] as f64 / done[1] as f64;
    section.rows.push(
        Row::new(
            "a tenant of weight 300 beside one of 100",
            format!("{} and {} calls", done[0], done[1]),
        )
        .ratio(format!("x{ratio:.2}"))
        .aim(Aim::AtLeast(2.7, "times as many"), ratio),
    );
    section.rows.extend(beside_spinners(time)?);
    Ok(section)
}

/// Calls that each tenant, of a weight and with so many at a time, was answered.
fn compute(tenants: &[(u32, usize)], time: Duration) -> Result<Vec<u64>> {
    let server = serve(tenants.iter().map(|(weight, _)| *weight))?;
    let runtime = crate::measure::runtime()?;
    runtime.block_on(async {
        let done: Vec<_> = tenants
            .iter()
            .map(|_| Arc::new(AtomicU64::new(0)))
            .collect();
        let mut clients = JoinSet::new();
        for (number, (_, calls)) in tenants.iter().enumerate() {
            for _ in 0..*calls {
                let (address, done) = (server.address, done[number].clone());
                let path = format!("/t{number}{WORK}");
                clients.spawn(async move { work(address, &path, &done).await });
            }
        }
        // What is measured begins when all are at work.
        tokio::time::sleep(time / 4).await;
        let before: Vec<_> = done.iter().map(|done| done.load(Relaxed)).collect();
        tokio::time::sleep(time).await;
        let after = done.iter().map(|done| done.load(Relaxed));
        let answered = after.zip(before).map(|(after, before)| after - before);
        let answered = answered.collect();
        // A client that could not go on would make its tenant look poor.
        while let Some(ended) = clients.try_join_next() {
            ended??;
        }
        Ok(answered)
    })
}

async fn work(address: SocketAddr, path: &str, done: &AtomicU64) -> Result<()> {
    let mut client = Client::connect_to(address, path).await?;
    loop {
        client.get().await?;
        done.fetch_add(1, Relaxed);
    }
}

fn beside_spinners(time: Duration) -> Result<Vec<Row>> {
    let (mut alone, failed_alone) = requests(0, time)?;
    let (mut beside, failed) = requests(64, time)?;
    let (quiet, p99) = (alone.at(0.99) / 1e3, beside.at(0.99) / 1e3);
    let text = |latencies: &mut Latencies, failed: u64| {
        let (p50, p99) = (latencies.at(0.5) / 1e3, latencies.at(0.99) / 1e3);
        format!("p50 {p50:.2} ms, p99 {p99:.2} ms, {failed} failed")
    };
    let limit = (quiet * 3.0).max(10.0);
    Ok(vec![
        Row::new(
            "400 requests a second of one tenant",
            text(&mut alone, failed_alone),
        ),
        Row::new(
            "beside 64 spinning calls of another",
            text(&mut beside, failed),
        )
        .ratio(format!("x{:.1}", p99 / quiet))
        .aim(Aim::AtMost(limit, "ms p99"), p99),
        Row::new("requests that failed beside them", failed.to_string())
            .aim(Aim::AtMost(0.0, "of all"), failed as f64),
    ])
}

/// Latencies of requests of one tenant from the moment at which each was due, and the connections that failed.
fn requests(spinners: usize, time: Duration) -> Result<(Latencies, u64)> {
    let server = serve([100, 100].into_iter())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut attackers = JoinSet::new();
        for _ in 0..spinners {
            let address = server.address;
            attackers.spawn(async move {
                let mut client = Client::connect_to(address, &format!("/t1{SPIN}")).await?;
                client.get().await
            });
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        on_time(server.address, "/t0/plain", time).await
    })
}

/// A host with a tenant `t0`, `t1` and so on of each weight.
fn serve(weights: impl Iterator<Item = u32>) -> Result<Serving> {
    let directory = scratch()?;
    let mut terms = String::new();
    for (number, weight) in weights.enumerate() {
        let name = format!("t{number}");
        Project::write(
            &directory.path().join(&name),
            APPS,
            crate::neighbours::RESOURCES,
        )?;
        terms += &format!(
            "---\napiVersion: wythe/v1\nkind: Tenant\nmetadata: {{ name: {name} }}\nspec: {{ quotas: {{ cpuWeight: {weight}, requestsPerSecond: 1000000, calls: 1000, waitingCalls: 1000, instances: 1000, memory: 4GiB, connections: 10000, egressBytesPerSecond: 1024GiB }} }}\n"
        );
    }
    fs::write(directory.path().join(wythe_manifest::HOST_FILE), terms)?;
    let server = Job::Tenants(directory.path().to_owned()).serve()?;
    Ok(Serving {
        address: server.address,
        _server: server,
        _directory: directory,
    })
}

struct Serving {
    address: SocketAddr,
    _server: Server,
    _directory: tempfile::TempDir,
}

/// Serves every tenant of a directory until the process is killed, and says where.
pub async fn host(directory: &Path) -> Result<()> {
    let (file, problems) = load_host_file(directory);
    anyhow::ensure!(!problems.has_errors(), "{problems}");
    let runtime = Runtime::new(&Options {
        cache: Some(directory.join("cache")),
        ..Options::default()
    })?;
    let host = Arc::new(Host::default());
    for entry in fs::read_dir(directory)?.flatten() {
        let name = entry.file_name();
        let name = name.to_str().context("a tenant's name is text")?;
        if !entry.path().join("wythe.yaml").is_file() {
            continue;
        }
        let mut settings = Settings::new(name.parse()?, directory.join("data"));
        settings.terms = Some(Arc::new(file.terms(&settings.tenant)));
        let tenant = host.open(settings)?;
        tenant.enter(Entrance::Named {
            hosts: BTreeSet::new(),
            by_path: true,
            clients: KnownBy::Host,
        })?;
        Project::at(&entry.path()).admit(&runtime, &tenant).await?;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let audience = Audience::Strangers;
    let ingress = Ingress { host, audience };
    ingress
        .serve(listener, CancellationToken::new(), Duration::ZERO)
        .await;
    Ok(())
}
