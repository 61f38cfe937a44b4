//! (i) Locks: a grant and its release, both on the disk before they are answered; those of many names share one sync.

use crate::{
    Scale,
    child::scratch,
    measure::{self, Latencies},
    project::{Project, Wythe},
    report::Section,
    writes::{Measured, overwrite},
};
use anyhow::{Context, Result, bail};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use wythe_blocks::{
    Environment, Site,
    lock::{Acquired, Driver},
};
use wythe_manifest::Component;

const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: locks }
spec: { type: lock.redb, version: v1 }
";
const TIME: Duration = Duration::from_millis(300);
/// The time of a grant, and of the wait for one: longer than a round.
const LONG: Duration = Duration::from_secs(60);
const CLIENTS: [usize; 3] = [1, 8, 64];

#[derive(Clone, Copy)]
enum Way {
    /// The block, each client with a name of its own.
    Own,
    /// The block, all in line for one name.
    One,
    /// The driver alone, each client with a key of its own.
    Driver,
}

impl Way {
    fn text(self) -> &'static str {
        match self {
            Way::Own => "names of their own",
            Way::One => "one name, waiting in line",
            Way::Driver => "the driver alone",
        }
    }
}

/// Both ends of the comparison, on files of their own.
struct Subjects {
    wythe: Wythe,
    driver: Arc<dyn Driver>,
}

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let project = Project::write(&directory.path().join("project"), "", RESOURCES)?;
    let subjects = Subjects {
        wythe: project.open().await?,
        driver: open(&directory.path().join("alone")).await?,
    };
    let ways = [Way::Driver, Way::Own, Way::One];
    let cases = ways
        .into_iter()
        .flat_map(|way| CLIENTS.map(|clients| (way, clients)));
    let mut cases: Vec<_> = cases.map(|case| (case, Measured::default())).collect();
    let mut file = Measured::default();
    let path = directory.path().join("overwritten");
    for _ in 0..scale.pick(5, 1) {
        overwrite(&path, scale.time(TIME), &mut file)?;
        for ((way, clients), measured) in &mut cases {
            grant(&subjects, *way, *clients, scale.time(TIME), measured).await?;
        }
    }
    subjects.driver.close().await?;
    subjects.wythe.stop().await;
    let floor = file.median();
    let mut section = Section::new("(i) locks: acquire and release, two syncs one after the other");
    let what = "one file, overwrite and fdatasync".to_owned();
    section.rows.push(file.row(what, "writes", floor));
    for ((way, clients), measured) in &mut cases {
        let what = format!("lock.redb, {}, clients: {clients}", way.text());
        section.rows.push(measured.row(what, "grants", floor));
    }
    Ok(section)
}

async fn open(directory: &Path) -> Result<Arc<dyn Driver>> {
    let (resources, problems) = wythe_manifest::parse_resources(RESOURCES, Path::new("locks.yaml"));
    if problems.has_errors() {
        bail!("{problems}");
    }
    let component: Option<Component> = resources.components.into_iter().next();
    let site = Site {
        terms: None,
        ledger: None,
        tenant: "default".parse()?,
        component: "locks".into(),
        directory: directory.to_owned(),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: Environment::default(),
    };
    let registry = wythe_drivers::registry();
    let component = component.context("a component")?;
    Ok(registry.lock.open(&component, site).await?)
}

async fn grant(
    subjects: &Subjects,
    way: Way,
    clients: usize,
    time: Duration,
    measured: &mut Measured,
) -> Result<()> {
    let (cpu, begin) = (measure::own_cpu()?, Instant::now());
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        match way {
            Way::Driver => tasks.spawn(alone(subjects.driver.clone(), client, begin, time)),
            Way::Own => tasks.spawn(through(&subjects.wythe, client.to_string(), begin, time)?),
            Way::One => tasks.spawn(through(&subjects.wythe, "one".into(), begin, time)?),
        };
    }
    let mut latencies = Latencies::default();
    while let Some(ended) = tasks.join_next().await {
        latencies.merge(ended??);
    }
    let cpu = measure::own_cpu()?.saturating_sub(cpu);
    measured.add(latencies, begin.elapsed(), cpu);
    Ok(())
}

async fn alone(
    driver: Arc<dyn Driver>,
    client: usize,
    begin: Instant,
    time: Duration,
) -> Result<Latencies> {
    let key = format!("lock||bench||{client}");
    let mut latencies = Latencies::default();
    while begin.elapsed() < time {
        let start = Instant::now();
        match driver.acquire(&(&key).into(), "bench", LONG).await? {
            Acquired::Granted(grant) => driver.release(&(&key).into(), grant.token).await?,
            Acquired::Held { .. } => bail!("`{key}` is nobody else's"),
        }
        latencies.add(start.elapsed());
    }
    Ok(latencies)
}

fn through(
    wythe: &Wythe,
    name: String,
    begin: Instant,
    time: Duration,
) -> Result<impl Future<Output = Result<Latencies>> + Send + use<>> {
    let (host, caller) = (wythe.tenant.clone(), wythe.operator("bench")?);
    Ok(async move {
        let mut latencies = Latencies::default();
        while begin.elapsed() < time {
            let start = Instant::now();
            let acquired = host.lock.acquire(&caller, "locks", &name, LONG, LONG);
            let lease = acquired.await?;
            let lease = lease.with_context(|| format!("`{name}` was never free"))?;
            lease.release(&caller).await?;
            latencies.add(start.elapsed());
        }
        Ok(latencies)
    })
}
