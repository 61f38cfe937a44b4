//! (g) Neighbours: how long one app's requests take while another app attacks the host they share.

use crate::{
    Scale,
    child::{Job, Server, scratch},
    load::on_time,
    measure::Latencies,
    project::Project,
    report::{Aim, Row, Section},
};
use anyhow::Result;
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// The spinners may go on for longer than the measurement; the others have the limits that apps have by default.
const APPS: &str = "  - appID: plain
    guest: plain.wasm
    ingress: /
";
const SPINS: &str = "    limits: { cpuTime: 1h, wallTime: 1h, concurrency: 64 }
";

/// The request that the other app is sent, again and again, and the number of clients that send it at once.
struct Attack {
    what: &'static str,
    clients: usize,
    path: &'static str,
    limits: &'static str,
    /// The clients read what is answered.
    reads: bool,
}

impl Attack {
    const fn new(what: &'static str, clients: usize, path: &'static str) -> Self {
        Attack {
            what,
            clients,
            path,
            limits: "",
            reads: true,
        }
    }
}

const ATTACKS: [Attack; 8] = [
    Attack::new("nobody attacks", 0, "/spin"),
    Attack {
        limits: SPINS,
        ..Attack::new("8 calls spin", 8, "/spin")
    },
    Attack {
        limits: SPINS,
        ..Attack::new("64 calls spin", 64, "/spin")
    },
    Attack::new("2 calls ask for random bytes", 2, "/host-spin?kind=random"),
    Attack::new("2 calls use long names", 2, "/host-spin?kind=name"),
    Attack::new("2 calls write long logs", 2, "/host-spin?kind=log"),
    Attack::new("200 calls answer, then go on", 200, "/after?how=spin"),
    Attack {
        reads: false,
        ..Attack::new("64 answers are not read", 64, "/big-response?mib=64")
    },
];
pub const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.memory, version: v1 }
";
const TIME: Duration = Duration::from_secs(4);
const P99_AIM: Aim = Aim::AtMost(20.0, "ms p99");

pub fn measure(scale: Scale) -> Result<Section> {
    let mut section =
        Section::new("(g) requests of one app, 400 a second, while another app attacks the host");
    let mut quiet = None;
    for attack in &ATTACKS {
        let (mut latencies, missed) = round(attack, scale.time(TIME))?;
        let (median, p99) = (latencies.at(0.5) / 1e3, latencies.at(0.99) / 1e3);
        let measured = format!("p50 {median:.2} ms, p99 {p99:.2} ms, {missed} failed");
        let row = Row::new(attack.what, measured);
        let (quiet_median, quiet_p99) = *quiet.get_or_insert((median, p99));
        section.rows.push(match attack.clients {
            0 => row,
            _ => row
                .ratio(format!(
                    "x{:.1}, x{:.1}",
                    median / quiet_median,
                    p99 / quiet_p99
                ))
                .aim(P99_AIM, p99),
        });
    }
    Ok(section)
}

/// Latencies from the moment at which each request was due, and how many failed.
fn round(attack: &Attack, time: Duration) -> Result<(Latencies, u64)> {
    let directory = scratch()?;
    let (prefix, _) = attack.path.split_once('?').unwrap_or((attack.path, ""));
    let apps = format!(
        "{APPS}  - appID: hostile
    guest: hostile.wasm
    ingress: {prefix}
    grants: {{ state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }}
{}",
        attack.limits
    );
    Project::write(directory.path(), &apps, RESOURCES)?;
    let server: Server = Job::Wythe(directory.path().to_owned()).serve()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let attackers = begin(server.address, attack).await;
        let measured = on_time(server.address, "/", time).await;
        drop(attackers);
        measured
    })
}

/// Half a second later the attack is under way. It ends when the set is dropped.
async fn begin(address: SocketAddr, attack: &Attack) -> JoinSet<()> {
    let mut attackers = JoinSet::new();
    for _ in 0..attack.clients {
        let (path, reads) = (attack.path, attack.reads);
        attackers.spawn(async move { while ask(address, path, reads).await.is_ok() {} });
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    attackers
}

/// One request on a connection of its own; its answer is read to the end, or never.
async fn ask(address: SocketAddr, path: &str, reads: bool) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    if !reads {
        std::future::pending::<()>().await;
    }
    let mut answer = vec![0; 4 << 10];
    while stream.read(&mut answer).await? > 0 {}
    Ok(())
}
