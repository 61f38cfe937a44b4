//! (m) Actors on a durable store: turns a second of one actor and of many, what a guest adds, how long an actor takes to be
//! there, and the memory of those that are here and have nothing to do.

use crate::{
    Scale,
    child::{Job as Child, resident, scratch},
    measure::{self, Latencies},
    project::{Project, Wythe},
    report::{Aim, Row, Section},
};
use anyhow::{Result, anyhow};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use wythe_blocks::{
    Call, Callee, Exports,
    actors::{Trigger, Type, context},
    state::Put,
};
use wythe_runtime::Loaded;

const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.memory, version: v1 }
";
/// A store with less of its file in memory than there is: what is measured is the actors'.
const SMALL: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec:
  type: state.redb
  version: v1
  metadata: [{ name: cacheSize, value: 8MiB }]
";
const GUESTS: &str = "  - appID: account
    guest: account.wasm
    grants: { actors: [account], publish: [pubsub/transfers], subscribe: [pubsub/transfers] }
    limits: { concurrency: 256 }
";
const RATE: Aim = Aim::AtLeast(20_000.0, "turns/s");
const MEMORY: Aim = Aim::AtMost(100.0, "MB");
const TIME: Duration = Duration::from_secs(1);
/// Calls that are under way at once.
const CLIENTS: u64 = 256;
const ACTORS: u64 = 1_000;
const IDLE: u64 = 100_000;
const ROUNDS: usize = 5;

/// The measurements of one row, with a number for each round.
struct Measured {
    what: &'static str,
    kind: &'static str,
    method: &'static str,
    actors: u64,
    per_second: Vec<f64>,
    cpus: Vec<f64>,
    latencies: Latencies,
}

impl Measured {
    fn new(what: &'static str, kind: &'static str, method: &'static str, actors: u64) -> Self {
        Measured {
            what,
            kind,
            method,
            actors,
            per_second: Vec::new(),
            cpus: Vec::new(),
            latencies: Latencies::default(),
        }
    }

    fn row(mut self, floor: f64) -> Row {
        let is_aimed = self.actors == ACTORS && self.method != "sum";
        let aim = is_aimed.then_some(RATE);
        let rate = measure::median(&self.per_second);
        let (half, p99) = (self.latencies.at(0.5) / 1e3, self.latencies.at(0.99) / 1e3);
        let text = format!("{rate:.0} turns/s, p50 {half:.2} ms, p99 {p99:.2} ms");
        let row = Row::new(self.what, text)
            .cpu(measure::median(&self.cpus))
            .ratio(format!("{:.2} of the writes", rate / floor));
        match aim {
            Some(aim) => row.aim(aim, rate),
            None => row,
        }
    }
}

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let mut section = Section::new("(m) actors, redb");
    let native = Project::write(&directory.path().join("native"), "", RESOURCES)?;
    let native = native.open().await?;
    attach(&native, Duration::from_secs(600))?;
    let fresh = guests(&directory.path().join("fresh"), "").await?;
    let warm = guests(
        &directory.path().join("warm"),
        "    env: { ACCOUNTS: warm }\n",
    )
    .await?;
    let mut cases = cases(&native, &fresh, &warm);
    let (mut writes, mut serial) = (Vec::new(), Vec::new());
    for _ in 0..scale.pick(ROUNDS, 1) {
        writes.push(store(&native, CLIENTS, scale.time(TIME)).await?);
        serial.push(store(&native, 1, scale.time(TIME)).await?);
        for (wythe, measured) in &mut cases {
            turns(wythe, measured, scale.time(TIME)).await?;
        }
    }
    let (floor, alone) = (measure::median(&writes), measure::median(&serial));
    for (clients, rate) in [(1, alone), (CLIENTS, floor)] {
        section.rows.push(Row::new(
            format!("state.redb, one put each, clients: {clients}"),
            format!("{rate:.0} writes/s"),
        ));
    }
    for (_, measured) in cases {
        // An actor does one thing at a time, so that one alone is beside one writer alone.
        let floor = if measured.actors == 1 { alone } else { floor };
        section.rows.push(measured.row(floor));
    }
    section
        .rows
        .push(activation(&native, "counter", "sum", scale).await?);
    section
        .rows
        .push(activation(&fresh, "account", "balance", scale).await?);
    for wythe in [native, fresh, warm] {
        wythe.stop().await;
    }
    section.rows.push(memory(directory.path(), scale).await?);
    Ok(section)
}

fn cases<'a>(native: &'a Wythe, fresh: &'a Wythe, warm: &'a Wythe) -> [(&'a Wythe, Measured); 5] {
    let counter = |what, method, actors| Measured::new(what, "counter", method, actors);
    let account = |what, actors| Measured::new(what, "account", "deposit", actors);
    [
        (native, counter("one native actor, writing", "add", 1)),
        (
            native,
            counter("1,000 native actors, writing", "add", ACTORS),
        ),
        (
            native,
            counter("1,000 native actors, reading", "sum", ACTORS),
        ),
        (
            fresh,
            account("1,000 guests, writing, an instance for each turn", ACTORS),
        ),
        (
            warm,
            account("200 guests, writing, their instances kept", 200),
        ),
    ]
}

async fn guests(directory: &Path, env: &str) -> Result<Wythe> {
    let project = Project::write(directory, &format!("{GUESTS}{env}"), RESOURCES)?;
    let wythe = project.start().await?;
    for (_, Loaded { app, .. }) in &wythe.apps {
        let types = app.actor_types().await?;
        let attached = wythe.tenant.actors.attach(app, types);
        attached.map_err(|errors| anyhow!("{errors:?}"))?;
    }
    wythe.tenant.actors.start(wythe.tenant.name());
    Ok(wythe)
}

fn attach(wythe: &Wythe, idle: Duration) -> Result<()> {
    let kind = Type {
        idle,
        ..Type::new("counter")
    };
    let app = wythe.native("counters", Arc::default(), Arc::new(Counters))?;
    let attached = wythe.tenant.actors.attach(&app, vec![kind]);
    attached.map_err(|errors| anyhow!("{errors:?}"))?;
    wythe.tenant.actors.start(wythe.tenant.name());
    Ok(())
}

/// Writes a second, without actors.
async fn store(wythe: &Wythe, clients: u64, time: Duration) -> Result<f64> {
    let caller = wythe.operator("bench")?;
    let store = wythe.tenant.state.open(&caller, "statestore")?;
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let (store, caller) = (store.clone(), caller.clone());
        tasks.spawn(async move {
            let mut count = 0u64;
            while begin.elapsed() < time {
                let key = format!("{client}-{}", count % 4);
                store.put(&caller, Put::new(key, "12345")).await?;
                count += 1;
            }
            anyhow::Ok(count)
        });
    }
    let mut count = 0;
    while let Some(ended) = tasks.join_next().await {
        count += ended??;
    }
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}

async fn turns(wythe: &Wythe, measured: &mut Measured, time: Duration) -> Result<()> {
    let (cpu, begin) = (measure::own_cpu()?, Instant::now());
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..CLIENTS {
        let (host, caller, next) = (wythe.tenant.clone(), wythe.operator("bench")?, next.clone());
        let (kind, method, actors) = (measured.kind, measured.method, measured.actors);
        tasks.spawn(async move {
            let mut latencies = Latencies::default();
            while begin.elapsed() < time {
                let id = (next.fetch_add(1, Relaxed) % actors).to_string();
                let start = Instant::now();
                host.actors
                    .invoke(&caller, kind, &id, method, "1".into())
                    .await?;
                latencies.add(start.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Latencies::default();
    while let Some(ended) = tasks.join_next().await {
        latencies.merge(ended??);
    }
    let cpu = measure::own_cpu()?.saturating_sub(cpu);
    measured.cpus.push(measure::each(cpu, latencies.len()));
    let rate = latencies.len() as f64 / begin.elapsed().as_secs_f64();
    measured.per_second.push(rate);
    measured.latencies.merge(latencies);
    Ok(())
}

/// The first turn of actors that are not here, one after the other; it only reads.
async fn activation(wythe: &Wythe, kind: &str, method: &str, scale: Scale) -> Result<Row> {
    let (caller, mut latencies) = (wythe.operator("bench")?, Latencies::default());
    for number in 0..scale.pick(2_000, 200) {
        let (id, start) = (format!("new-{number}"), Instant::now());
        wythe
            .tenant
            .actors
            .invoke(&caller, kind, &id, method, Bytes::new())
            .await?;
        latencies.add(start.elapsed());
    }
    let (half, p99) = (latencies.at(0.5), latencies.at(0.99));
    let text = format!("p50 {half:.0} us, p99 {p99:.0} us");
    Ok(Row::new(
        format!("activation and a first reading turn, `{kind}`"),
        text,
    ))
}

/// Measures memory in a process of its own; each actor has a value that an earlier process kept.
async fn memory(directory: &Path, scale: Scale) -> Result<Row> {
    let (directory, count) = (directory.join("idle"), scale.pick(IDLE, IDLE / 20));
    let wythe = Project::write(&directory, "", SMALL)?.open().await?;
    attach(&wythe, Duration::from_secs(600))?;
    each(&wythe, count, CLIENTS, "add").await?;
    wythe.stop().await;
    let (_process, line) = Child::Actors(directory, count).start()?;
    let megabytes = line.parse::<u64>()? as f64 * 1024.0 / 1e6;
    let what = format!("memory of {count} actors that are here and idle");
    Ok(Row::new(what, format!("{megabytes:.1} MB")).aim(MEMORY, megabytes))
}

/// A turn of each of so many actors.
async fn each(wythe: &Wythe, count: u64, clients: u64, method: &'static str) -> Result<()> {
    let mut tasks = JoinSet::new();
    for first in 0..clients {
        let (host, caller) = (wythe.tenant.clone(), wythe.operator("bench")?);
        tasks.spawn(async move {
            for number in (first..count).step_by(clients as usize) {
                let id = format!("customer-{number}");
                let data = "1".into();
                host.actors
                    .invoke(&caller, "counter", &id, method, data)
                    .await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Prints, in the child, how much more memory is resident once all of them had a turn that read what each has.
pub async fn idle(directory: &Path, count: u64) -> Result<()> {
    let wythe = Project::at(directory).open().await?;
    attach(&wythe, Duration::from_secs(600))?;
    each(&wythe, 1, 1, "sum").await?;
    let before = resident("VmRSS");
    each(&wythe, count, CLIENTS, "sum").await?;
    println!("{}", resident("VmRSS").saturating_sub(before));
    Ok(())
}

/// A native app whose actors count.
struct Counters;

#[async_trait]
impl Callee for Counters {
    fn exports(&self) -> Exports {
        Exports {
            actor_handler: true,
            ..Exports::default()
        }
    }

    async fn actor_turn(&self, caller: Call, trigger: Trigger) -> wythe_blocks::Result<Bytes> {
        let turn = context(&caller)?;
        let sum = turn.get(&caller, "sum").await?;
        let sum = sum.map_or(0u64, |sum| {
            String::from_utf8_lossy(&sum).parse().unwrap_or(0)
        });
        match trigger {
            Trigger::Call(method, _) if method == "add" => {
                let sum = Bytes::from((sum + 1).to_string());
                turn.put(&caller, "sum", sum.clone(), None)?;
                Ok(sum)
            }
            _ => Ok(sum.to_string().into()),
        }
    }
}
