//! (d) Durable writes: state.put that has answered is on the disk; many writers share one sync.

use crate::{
    Scale,
    child::scratch,
    measure::{self, Latencies},
    project::{Project, Wythe},
    report::{Row, Section},
};
use anyhow::Result;
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::Path,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use wythe_blocks::state::Put;

const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: redb }
spec: { type: state.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: sled }
spec: { type: state.sled, version: v1 }
";
const TIME: Duration = Duration::from_millis(300);
const BYTES: usize = 256;
/// Keys of one writer.
const KEYS: u64 = 1_000;
/// The places of one file.
const PLACES: usize = 4096;
const WRITERS: [usize; 3] = [1, 8, 64];

/// Several rounds of one way to write.
#[derive(Default)]
pub struct Measured {
    per_second: Vec<f64>,
    cpu: Vec<f64>,
    latencies: Latencies,
}

impl Measured {
    pub fn add(&mut self, latencies: Latencies, wall: Duration, cpu: Duration) {
        self.per_second
            .push(latencies.len() as f64 / wall.as_secs_f64());
        self.cpu.push(measure::each(cpu, latencies.len()));
        self.latencies.merge(latencies);
    }

    /// The median of the writes a second.
    pub fn median(&self) -> f64 {
        measure::median(&self.per_second)
    }

    pub fn row(&mut self, what: String, noun: &str, floor: f64) -> Row {
        let per_second = self.median();
        let text = format!(
            "{per_second:>6.0} {noun}/s, p50 {:>5.0} us, p99 {:>5.0} us",
            self.latencies.at(0.5),
            self.latencies.at(0.99)
        );
        Row::new(what, text)
            .cpu(measure::median(&self.cpu))
            .ratio(format!("{:.2}x of the file", per_second / floor))
    }
}

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let wythe = Project::write(&directory.path().join("project"), "", RESOURCES)?
        .open()
        .await?;
    let mut cases: Vec<(&str, usize, Measured)> = Vec::new();
    for driver in ["redb", "sled"] {
        cases.extend(WRITERS.map(|writers| (driver, writers, Measured::default())));
    }
    let mut file = Measured::default();
    let path = directory.path().join("overwritten");
    for _ in 0..scale.pick(5, 1) {
        overwrite(&path, scale.time(TIME), &mut file)?;
        for (driver, writers, measured) in &mut cases {
            write(&wythe, driver, *writers, scale.time(TIME), measured).await?;
        }
    }
    wythe.stop().await;
    let floor = file.median();
    let mut section = Section::new("(d) durable writes");
    let what = "one file, overwrite and fdatasync".to_owned();
    section.rows.push(file.row(what, "writes", floor));
    for (driver, writers, measured) in &mut cases {
        let what = format!("state.put, {driver}, writers: {writers}");
        section.rows.push(measured.row(what, "writes", floor));
    }
    Ok(section)
}

/// Measures what the disk can do at one write per sync, in a file that has its size already: growing it would cost more
/// syncs.
pub fn overwrite(path: &Path, time: Duration, measured: &mut Measured) -> Result<()> {
    let file = File::create(path)?;
    file.write_all_at(&vec![0; PLACES * BYTES], 0)?;
    file.sync_all()?;
    let mut latencies = Latencies::default();
    let (cpu, begin) = (measure::own_cpu()?, Instant::now());
    for number in 0.. {
        let start = Instant::now();
        if start - begin >= time {
            break;
        }
        file.write_all_at(&[b'x'; BYTES], (number % PLACES * BYTES) as u64)?;
        file.sync_data()?;
        latencies.add(start.elapsed());
    }
    let cpu = measure::own_cpu()?.saturating_sub(cpu);
    measured.add(latencies, begin.elapsed(), cpu);
    Ok(())
}

async fn write(
    wythe: &Wythe,
    driver: &str,
    writers: usize,
    time: Duration,
    measured: &mut Measured,
) -> Result<()> {
    let caller = wythe.operator("bench")?;
    let store = wythe.tenant.state.open(&caller, driver)?;
    let (cpu, begin) = (measure::own_cpu()?, Instant::now());
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let (store, caller) = (store.clone(), caller.clone());
        tasks.spawn(async move {
            let mut latencies = Latencies::default();
            while begin.elapsed() < time {
                let start = Instant::now();
                let key = format!("{writer}-{}", latencies.len() % KEYS);
                store.put(&caller, Put::new(key, vec![b'x'; BYTES])).await?;
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
    measured.add(latencies, begin.elapsed(), cpu);
    Ok(())
}
