//! (n) Workflows on a durable store: a chain of five activities, a long journal run again, and many that wait.

use crate::{
    Scale,
    child::{Job, resident, scratch},
    measure,
    project::{Project, Wythe},
    report::{Aim, Row, Section},
};
use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use wythe_blocks::{
    Call, Callee, Exports,
    workflow::{ActivityCall, Context, Engine, Failure, Filter, Outcome, Start},
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
const APPS: &str = "  - appID: echo
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [echo] }
  - appID: errands
    guest: errands.wasm
    grants: { invoke: [echo] }
";
const RATE: Aim = Aim::AtLeast(2_000.0, "workflows/s");
const FLAT: Aim = Aim::AtLeast(0.8, "of the first");
const REPLAY: Aim = Aim::AtMost(1.0, "s");
const MEMORY: Aim = Aim::AtMost(100.0, "MB");
/// A time longer than any instance takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Instances under way at once.
const AT_ONCE: u64 = 96;
/// The length of the chain over the engine alone, and over guests.
const NATIVE: u64 = 100_000;
const GUESTS: u64 = 10_000;
const ASLEEP: u64 = 100_000;
/// Activities whose journal has ten thousand entries.
const LONG: u32 = 5_000;

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let mut section = Section::new("(n) workflows, redb");
    let alone = Project::write(&directory.path().join("alone"), "", RESOURCES)?
        .open()
        .await?;
    let bed = Bed::native(&alone)?;
    let (native, rows) = bed
        .chains("the engine alone", scale.pick(NATIVE, NATIVE / 50))
        .await?;
    section.rows.extend(rows);
    alone.stop().await;
    let guests = Project::write(&directory.path().join("guests"), APPS, RESOURCES)?
        .start()
        .await?;
    let bed = Bed::of_guests(&guests).await?;
    let (rate, rows) = bed
        .chains("guests", scale.pick(GUESTS, GUESTS / 20))
        .await?;
    let [first, flat] = rows;
    let ratio = format!("{:.2} of the engine alone", rate / native);
    section.rows.push(first.ratio(ratio).aim(RATE, rate));
    section.rows.push(flat);
    section.rows.push(bed.steps().await?);
    section.rows.push(bed.long().await?);
    guests.stop().await;
    section.rows.push(asleep(directory.path(), scale).await?);
    Ok(section)
}

struct Bed {
    engine: Arc<Engine>,
    caller: Call,
}

impl Bed {
    /// Workflows and activities are functions of this program, so that nothing but the engine is measured.
    fn native(wythe: &Wythe) -> Result<Self> {
        let app = wythe.native("native", Arc::default(), Arc::new(Native))?;
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        wythe
            .tenant
            .workflow
            .attach(&app, names(&["chain", "wait"]), names(&["increment"]))
            .map_err(all)?;
        Self::begin(wythe)
    }

    async fn of_guests(wythe: &Wythe) -> Result<Self> {
        for (_, Loaded { app, .. }) in &wythe.apps {
            let (workflows, activities) = (app.workflows().await?, app.activities().await?);
            wythe
                .tenant
                .workflow
                .attach(app, workflows, activities)
                .map_err(all)?;
        }
        Self::begin(wythe)
    }

    fn begin(wythe: &Wythe) -> Result<Self> {
        let host = &wythe.tenant;
        host.begin()?;
        Ok(Bed {
            engine: host.workflows()?,
            caller: wythe.operator("operator")?,
        })
    }

    /// A number of chains in ten parts, and how the rate of the last four parts is beside that of the first four.
    async fn chains(&self, whose: &str, count: u64) -> Result<(f64, [Row; 2])> {
        let part = count / 10;
        self.some("chain", "warm", AT_ONCE, 5).await?;
        let (cpu, begin) = (measure::own_cpu()?, Instant::now());
        let mut rates = Vec::new();
        for number in 0..10 {
            let begin = Instant::now();
            self.some("chain", &format!("{number}"), part, 5).await?;
            rates.push(part as f64 / begin.elapsed().as_secs_f64());
        }
        let rate = count as f64 / begin.elapsed().as_secs_f64();
        let cpu = measure::each(measure::own_cpu()?.saturating_sub(cpu), count);
        let (first, last) = (measure::median(&rates[..4]), measure::median(&rates[6..]));
        let share = last / first;
        let rows = [
            Row::new(
                format!("{count} chains of 5 activities, {whose}"),
                format!("{rate:.0} workflows/s"),
            )
            .cpu(cpu),
            Row::new(
                format!("the last of them beside the first, {whose}"),
                format!("{last:.0} and {first:.0} workflows/s"),
            )
            .ratio(format!("{share:.2}"))
            .aim(FLAT, share),
        ];
        Ok((rate, rows))
    }

    /// Runs instances to their ends, so many at a time.
    async fn some(&self, name: &'static str, prefix: &str, count: u64, input: u32) -> Result<()> {
        let mut tasks = JoinSet::new();
        for first in 0..AT_ONCE {
            let (engine, caller) = (self.engine.clone(), self.caller.clone());
            let prefix = prefix.to_owned();
            tasks.spawn(async move {
                for number in (first..count).step_by(AT_ONCE as usize) {
                    let id = format!("{name}-{prefix}-{number}");
                    start(&engine, &caller, name, &id, input).await?;
                    ended(&engine, &caller, &id).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done??;
        }
        Ok(())
    }

    /// One chain whose journal grows: what its last steps take beside its first, by the times of its entries.
    async fn steps(&self) -> Result<Row> {
        start(&self.engine, &self.caller, "chain", "steps", LONG).await?;
        ended(&self.engine, &self.caller, "steps").await?;
        let history = self.engine.history("steps", 0, usize::MAX).await?;
        let times: Vec<_> = history.entries.iter().map(|entry| entry.time).collect();
        let (length, tenth) = (times.len(), times.len() / 10);
        ensure!(length > 2 * LONG as usize, "a journal of {length} entries");
        let rate = |from: usize, to: usize| {
            let seconds = (times[to] - times[from]) as f64 / 1e3;
            (to - from) as f64 / 2.0 / seconds
        };
        let (first, last) = (rate(0, tenth), rate(length - 1 - tenth, length - 1));
        let share = last / first;
        let row = Row::new(
            format!("one chain of {LONG} activities: its last tenth beside the first"),
            format!("{last:.0} and {first:.0} activities/s"),
        );
        Ok(row.ratio(format!("{share:.2}")).aim(FLAT, share))
    }

    async fn long(&self) -> Result<Row> {
        start(&self.engine, &self.caller, "fan", "long", LONG).await?;
        ended(&self.engine, &self.caller, "long").await?;
        let mut times = Vec::new();
        for _ in 0..5 {
            let begin = Instant::now();
            self.engine.replay("long").await?;
            times.push(begin.elapsed().as_secs_f64());
        }
        let seconds = measure::median(&times);
        let row = Row::new(
            format!("a journal of {} entries run again", 2 * LONG + 2),
            format!("{seconds:.3} s"),
        );
        Ok(row.aim(REPLAY, seconds))
    }
}

async fn start(
    engine: &Arc<Engine>,
    caller: &Call,
    name: &str,
    id: &str,
    input: u32,
) -> Result<()> {
    let start = Start {
        id: Some(id.to_owned()),
        at: None,
    };
    let input = input.to_string().into();
    engine.start(caller, name, input, start).await?;
    Ok(())
}

async fn ended(engine: &Arc<Engine>, caller: &Call, id: &str) -> Result<()> {
    let found = engine.wait_end(caller, id, PATIENCE).await?;
    ensure!(found.is_some_and(|found| found.status.has_ended()), "{id}");
    Ok(())
}

/// Instances that wait for an event, in a process of their own, as memory counts.
async fn asleep(directory: &Path, scale: Scale) -> Result<Row> {
    let count = scale.pick(ASLEEP, ASLEEP / 20);
    let directory = directory.join("asleep");
    let wythe = Project::write(&directory, "", RESOURCES)?.open().await?;
    let bed = Bed::native(&wythe)?;
    let mut tasks = JoinSet::new();
    for first in 0..AT_ONCE {
        let (engine, caller) = (bed.engine.clone(), bed.caller.clone());
        tasks.spawn(async move {
            for number in (first..count).step_by(AT_ONCE as usize) {
                start(&engine, &caller, "wait", &format!("wait-{number}"), 0).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    while bed.engine.hot() > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    wythe.stop().await;
    let (_process, line) = Job::Workflows(directory).start()?;
    let kib: u64 = line.parse().context("a child says a number")?;
    let megabytes = kib as f64 * 1024.0 / 1e6;
    let row = Row::new(
        format!("resident memory for {count} instances that wait"),
        format!("{megabytes:.1} MB"),
    );
    Ok(row.aim(MEMORY, megabytes))
}

/// Opens, in the child, a host with all of them, of which the last one is told something, and says what memory that
/// took.
pub async fn wait(directory: &Path) -> Result<()> {
    let before = resident("VmRSS");
    let wythe = Project::at(directory).open().await?;
    let bed = Bed::native(&wythe)?;
    let filter = Filter::default();
    let first = bed.engine.list(&bed.caller, &filter, None, 1).await?;
    let id = &first.instances.first().context("an instance")?.id;
    let data = Bytes::new();
    bed.engine.raise(&bed.caller, id, "go", data).await?;
    ended(&bed.engine, &bed.caller, id).await?;
    println!("{}", resident("VmRSS").saturating_sub(before));
    Ok(())
}

fn all(errors: Vec<wythe_blocks::Error>) -> anyhow::Error {
    let texts: Vec<_> = errors.iter().map(wythe_blocks::Error::message).collect();
    anyhow!("{}", texts.join("\n"))
}

/// The same workflows as the guest's.
struct Native;

#[async_trait]
impl Callee for Native {
    fn exports(&self) -> Exports {
        Exports {
            workflow_handler: true,
            activity_handler: true,
            ..Exports::default()
        }
    }

    async fn run_workflow(
        &self,
        _: Call,
        context: Context,
        name: String,
        input: Bytes,
    ) -> wythe_blocks::Result<Result<Bytes, String>> {
        if name == "wait" {
            let task = context.event("go", None)?;
            context.wait(task).await?;
            return Ok(Ok(Bytes::new()));
        }
        let steps = String::from_utf8_lossy(&input).parse().unwrap_or(0);
        let mut last = Bytes::from("0");
        for _ in 0..steps {
            let task = context.activity("increment", last, None)?;
            last = match context.wait(task).await? {
                Outcome::Done(value) => value,
                other => return Ok(Err(format!("{other:?}"))),
            };
        }
        Ok(Ok(last))
    }

    async fn run_activity(
        &self,
        _: Call,
        call: ActivityCall,
    ) -> wythe_blocks::Result<Result<Bytes, Failure>> {
        let number: u32 = String::from_utf8_lossy(&call.input).parse().unwrap_or(0);
        Ok(Ok((number + 1).to_string().into()))
    }
}
