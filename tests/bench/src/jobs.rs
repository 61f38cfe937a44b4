//! (j) Jobs on a durable store: how many a second, how late, and how soon after a start among many that sleep.

use crate::{
    Scale,
    child::{Job as Child, resident, scratch},
    measure::{self, Latencies},
    project::{Project, Wythe},
    report::{Aim, Row, Section},
};
use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::{sync::Notify, task::JoinSet};
use wythe_blocks::{
    App, Call, Callee, Exports,
    jobs::{FailurePolicy, Job, Misfire, Occurrence, Trigger},
};
use wythe_manifest::Name;

const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: jobs }
spec: { type: jobs.redb, version: v1 }
";
const RATE: Aim = Aim::AtLeast(10_000.0, "jobs/s");
const LATENESS: Aim = Aim::AtMost(100.0, "ms at p99");
const START: Aim = Aim::AtMost(2.0, "s");
const BYTES: usize = 256;
/// Jobs that are due at once.
const BURST: u64 = 20_000;
/// Jobs a second of the even load.
const PER_SECOND: u64 = 1_000;
const EVEN: Duration = Duration::from_secs(10);
/// The time until the even load begins, so that all of it is stored before.
const AHEAD: Duration = Duration::from_secs(10);
/// Jobs that sleep while one is due.
const ASLEEP: u64 = 100_000;
/// Schedules that are under way at once.
const SCHEDULERS: u64 = 256;
/// A time longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let mut section = Section::new("(j) jobs, redb");
    let wythe = Project::write(&directory.path().join("project"), "", RESOURCES)?
        .open()
        .await?;
    section.rows.push(burst(&wythe, scale).await?);
    section.rows.push(even(&wythe, scale).await?);
    wythe.stop().await;
    section.rows.extend(start(directory.path(), scale).await?);
    Ok(section)
}

/// Jobs that are all due before the app is there. The time ends when the last one is run and written.
async fn burst(wythe: &Wythe, scale: Scale) -> Result<Row> {
    let count = scale.pick(BURST, BURST / 10);
    let (mut per_second, mut cpus) = (Vec::new(), Vec::new());
    for round in 0..scale.pick(5, 1) {
        let app = Counter::new(&format!("burst-{round}"))?;
        let at = now();
        schedule(wythe, &app, count, move |_| at).await?;
        let (cpu, begin) = (measure::own_cpu()?, Instant::now());
        wythe.tenant.jobs.attach(&app.app(wythe)?);
        app.wait_for(count).await?;
        written(wythe, &app).await?;
        per_second.push(count as f64 / begin.elapsed().as_secs_f64());
        let cpu = measure::own_cpu()?.saturating_sub(cpu);
        cpus.push(measure::each(cpu, count));
    }
    let rate = measure::median(&per_second);
    Ok(Row::new(
        format!("{count} jobs that are due at once"),
        format!("{rate:.0} jobs/s"),
    )
    .cpu(measure::median(&cpus))
    .aim(RATE, rate))
}

/// Late is what lies between the time that a job is due and the moment in which the app is asked.
async fn even(wythe: &Wythe, scale: Scale) -> Result<Row> {
    let app = Counter::new("even")?;
    let count = PER_SECOND * scale.time(EVEN).as_secs().max(1);
    let begin = now() + u64::try_from(scale.pick(AHEAD, AHEAD / 4).as_millis())?;
    wythe.tenant.jobs.attach(&app.app(wythe)?);
    schedule(wythe, &app, count, move |number| {
        begin + number * 1_000 / PER_SECOND
    })
    .await?;
    let what = format!("late, {PER_SECOND} jobs a second");
    if now() >= begin {
        return Ok(Row::not_measured(what, "the jobs took too long to store"));
    }
    app.wait_for(count).await?;
    let mut late = app.late();
    let (half, p99) = (late.at(0.5) / 1e3, late.at(0.99) / 1e3);
    let text = format!("p50 {half:.1} ms, p99 {p99:.1} ms");
    Ok(Row::new(what, text).aim(LATENESS, p99))
}

/// Measures the start in a process of its own, as memory counts, too.
async fn start(directory: &Path, scale: Scale) -> Result<[Row; 2]> {
    let count = scale.pick(ASLEEP, ASLEEP / 10);
    let directory = directory.join("asleep");
    let project = Project::write(&directory, "", RESOURCES)?;
    let wythe = project.open().await?;
    let app = Counter::new("asleep")?;
    let at = now();
    let year = 365 * 24 * 3_600_000;
    // The one that is due is the last by name.
    let when = move |number| {
        if number + 1 == count {
            at
        } else {
            at + year + number
        }
    };
    schedule(&wythe, &app, count, when).await?;
    wythe.stop().await;
    let (_process, line) = Child::Jobs(directory).start()?;
    let numbers: Vec<u64> = line
        .split(' ')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [milliseconds, kib] = numbers
        .try_into()
        .ok()
        .context("a child says two numbers")?;
    let seconds = milliseconds as f64 / 1e3;
    Ok([
        Row::new(
            format!("start with {count} stored jobs, until the one that is due runs"),
            format!("{seconds:.3} s"),
        )
        .aim(START, seconds),
        Row::new(
            format!("resident memory for them, of {count} jobs of {BYTES} bytes"),
            format!("{:.1} MB", kib as f64 * 1024.0 / 1e6),
        ),
    ])
}

/// Opens the store, in the child, runs the one job that is due, and says how long that took and what memory it took.
pub async fn first(directory: &Path) -> Result<()> {
    let (before, begin) = (resident("VmRSS"), Instant::now());
    let wythe = Project::at(directory).open().await?;
    let app = Counter::new("asleep")?;
    wythe.tenant.jobs.attach(&app.app(&wythe)?);
    app.wait_for(1).await?;
    let took = begin.elapsed().as_millis();
    println!("{took} {}", resident("VmRSS").saturating_sub(before));
    Ok(())
}

async fn schedule(
    wythe: &Wythe,
    app: &Counter,
    count: u64,
    when: impl Fn(u64) -> u64 + Copy + Send + 'static,
) -> Result<()> {
    let mut tasks = JoinSet::new();
    for first in 0..SCHEDULERS {
        let (host, caller) = (wythe.tenant.clone(), wythe.operator(app.id.as_str())?);
        tasks.spawn(async move {
            for number in (first..count).step_by(SCHEDULERS as usize) {
                let job = job(number, when(number));
                host.jobs.schedule(&caller, job, false).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

fn job(number: u64, at: u64) -> Job {
    Job {
        name: format!("job-{number:07}"),
        trigger: Trigger::Once(at),
        start: None,
        end: None,
        repeats: None,
        data: vec![b'x'; BYTES].into(),
        on_failure: FailurePolicy::Drop,
        on_misfire: Misfire::All,
    }
}

/// A job that is over is gone when that is durable.
async fn written(wythe: &Wythe, app: &Counter) -> Result<()> {
    let (caller, begin) = (wythe.operator(app.id.as_str())?, Instant::now());
    loop {
        let left = wythe.tenant.jobs.list(&caller, "", None, Some(1)).await?;
        if left.jobs.is_empty() {
            return Ok(());
        }
        ensure!(begin.elapsed() < PATIENCE, "jobs that ran are still there");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

fn now() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}

/// An app that only counts, so that the jobs themselves are measured.
struct Counter {
    id: Name,
    /// Nanoseconds after the due time.
    late: Mutex<Vec<u64>>,
    ran: Notify,
}

impl Counter {
    fn app(self: &Arc<Self>, wythe: &Wythe) -> Result<Arc<App>> {
        wythe.native(self.id.as_str(), Arc::default(), self.clone())
    }

    fn new(id: &str) -> Result<Arc<Self>> {
        Ok(Arc::new(Counter {
            id: id.parse()?,
            late: Mutex::default(),
            ran: Notify::new(),
        }))
    }

    fn count(&self) -> u64 {
        self.late.lock().len() as u64
    }

    fn late(&self) -> Latencies {
        let late = self.late.lock();
        let mut latencies = Latencies::default();
        latencies.extend(late.iter().copied());
        latencies
    }

    async fn wait_for(&self, count: u64) -> Result<()> {
        let enough = async {
            while self.count() < count {
                self.ran.notified().await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, enough).await;
        ended.with_context(|| format!("{} of {count} jobs ran", self.count()))
    }
}

#[async_trait]
impl Callee for Counter {
    fn exports(&self) -> Exports {
        Exports {
            job_runner: true,
            ..Exports::default()
        }
    }

    async fn run_job(&self, _: Call, occurrence: Occurrence) -> wythe_blocks::Result<()> {
        let late = since_1970().saturating_sub(Duration::from_millis(occurrence.due));
        let late = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        let mut all = self.late.lock();
        all.push(late);
        drop(all);
        self.ran.notify_one();
        Ok(())
    }
}
