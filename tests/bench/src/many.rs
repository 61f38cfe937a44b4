//! (o) A thousand tenants in one host, served by the command as people start it: how soon and in how much memory, how
//! long requests take of a hundred of them, and of one while the manifest of another changes.

use crate::{
    Scale,
    child::scratch,
    command::Serving,
    guests, load, measure,
    measure::Latencies,
    report::{Aim, Row, Section},
};
use anyhow::{Result, ensure};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

const APPS: usize = 10;
/// Tenants that are asked at the same time.
const ACTIVE: usize = 100;
const TIME: Duration = Duration::from_secs(10);
/// The time between two of 1,000 changes a minute.
const CHANGE: Duration = Duration::from_millis(60);
const TERMS: &str = "apiVersion: wythe/v1
kind: Tenant
metadata: { name: \"*\" }
spec: { quotas: { connections: 1000 } }
";

pub fn measure(scale: Scale) -> Result<Section> {
    let tenants = scale.pick(1_000, 10);
    let directory = scratch()?;
    let root = directory.path();
    fs::write(root.join(wythe_manifest::HOST_FILE), TERMS)?;
    for number in 0..tenants {
        let home = home(root, number);
        fs::create_dir_all(&home)?;
        fs::copy(guests::file("plain"), home.join("plain.wasm"))?;
        write(&home, 16)?;
    }
    let mut section = Section::new("(o) 1,000 tenants of 10 apps each, by `wythe serve`");
    let first = Tenants::start(root)?;
    section
        .rows
        .push(first.row("first start, nothing compiled yet"));
    drop(first);
    let serving = Tenants::start(root)?;
    let (seconds, resident) = (serving.0.ready.as_secs_f64(), serving.0.resident());
    section.rows.push(
        serving
            .row("later start")
            .aim(Aim::AtMost(10.0, "s"), seconds),
    );
    section.rows.push(
        Row::new("memory of all, idle", format!("{resident:.0} MB"))
            .aim(Aim::AtMost(1500.0, "MB"), resident),
    );
    section.rows.push(serving.idle(scale.time(TIME))?);
    section
        .rows
        .extend(serving.active(tenants, scale.time(TIME))?);
    section
        .rows
        .extend(serving.changing(root, scale.time(TIME))?);
    Ok(section)
}

fn home(root: &Path, number: usize) -> PathBuf {
    root.join(format!("t{number}"))
}

/// Writes the manifest of a tenant, whole or not at all, as an editor does.
fn write(home: &Path, concurrency: usize) -> Result<()> {
    let mut text = "version: 1\nname: bench\napps:\n".to_owned();
    for app in 0..APPS {
        writeln!(
            text,
            "  - {{ appID: a{app}, guest: plain.wasm, ingress: /a{app}, limits: {{ concurrency: {concurrency} }} }}"
        )?;
    }
    // An address that is not there unless this version is in force.
    writeln!(
        text,
        "  - {{ appID: version, guest: plain.wasm, ingress: /version-{concurrency} }}"
    )?;
    let new = home.join("new");
    fs::write(&new, text)?;
    fs::rename(new, home.join("wythe.yaml"))?;
    Ok(())
}

/// The host that serves them.
struct Tenants(Serving);

impl Tenants {
    fn start(root: &Path) -> Result<Self> {
        Serving::start(root).map(Tenants)
    }

    fn row(&self, what: &str) -> Row {
        let text = format!(
            "ready after {:.1} s, {:.0} MB",
            self.0.ready.as_secs_f64(),
            self.0.resident()
        );
        Row::new(what, text)
    }

    fn idle(&self, time: Duration) -> Result<Row> {
        let before = measure::cpu(self.0.pid())?;
        thread::sleep(time);
        let used = measure::cpu(self.0.pid())?.saturating_sub(before);
        let share = used.as_secs_f64() / time.as_secs_f64();
        let text = format!("{:.1} % of a core", share * 100.0);
        Ok(Row::new("CPU of all, idle", text))
    }

    /// Requests of tenants at random, and of one alone, at the same rate.
    fn active(&self, tenants: usize, time: Duration) -> Result<Vec<Row>> {
        let one = vec!["/t0/a0".to_owned(); ACTIVE];
        let (mut one, failed) = self.ask(&one, time)?;
        let alone = one.at(0.99);
        let mut rows = vec![latencies("400 requests a second of one", &mut one, failed)];
        // Steps of a prime number visit tenants in no order that they were opened in.
        let paths = (0..ACTIVE).map(|number| number * 7_919);
        let paths: Vec<_> = paths
            .map(|number| format!("/t{}/a{}", number % tenants, number % APPS))
            .collect();
        let (mut many, failed) = self.ask(&paths, time)?;
        let ratio = many.at(0.99) / alone;
        rows.push(latencies("of 100 tenants", &mut many, failed).ratio(format!("x{ratio:.1}")));
        let text = format!("{:.0} MB", self.0.resident());
        rows.push(Row::new("memory after that", text));
        Ok(rows)
    }

    fn ask(&self, paths: &[String], time: Duration) -> Result<(Latencies, u64)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(load::on_time_of(self.0.address, paths, time))
    }

    /// Requests of one tenant while the manifest of another changes, and how soon a change is in force.
    fn changing(&self, root: &Path, time: Duration) -> Result<Vec<Row>> {
        let paths = vec!["/t0/a0".to_owned(); ACTIVE];
        let home = home(root, 1);
        let (mut quiet, failed) = self.ask(&paths, time)?;
        let alone = quiet.at(0.99);
        let mut rows = vec![latencies("one, nothing changes", &mut quiet, failed)];
        let is_over = AtomicBool::new(false);
        let (asked, changes) = thread::scope(|scope| {
            let writer = scope.spawn(|| change(&home, &is_over));
            let asked = self.ask(&paths, time);
            is_over.store(true, Relaxed);
            let changes = writer.join().map_err(|_| anyhow::anyhow!("a panic"));
            anyhow::Ok((asked?, changes??))
        })?;
        let (mut beside, failed) = asked;
        let ratio = beside.at(0.99) / alone;
        let what = format!("one, while another changes {changes} times");
        rows.push(
            latencies(&what, &mut beside, failed)
                .ratio(format!("x{ratio:.2}"))
                .aim(Aim::AtMost(1.5, "times the p99"), ratio),
        );
        write(&home, 99)?;
        let changed = Instant::now();
        let in_force = self.in_force("/t1/version-99")?.duration_since(changed);
        let seconds = in_force.as_secs_f64();
        rows.push(
            Row::new(
                "the last change is in force",
                format!("after {seconds:.2} s"),
            )
            .aim(Aim::AtMost(2.0, "s"), seconds),
        );
        Ok(rows)
    }

    fn in_force(&self, path: &str) -> Result<Instant> {
        let begin = Instant::now();
        let runtime = measure::runtime()?;
        runtime.block_on(async {
            loop {
                let mut client = load::Client::connect_to(self.0.address, path).await?;
                if client.get().await.is_ok() {
                    return Ok(Instant::now());
                }
                let waited = begin.elapsed();
                ensure!(waited < Duration::from_secs(60), "`{path}` is not there");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
    }
}

/// Changes every app of a tenant at each step, until it is over; says how often it did.
fn change(home: &Path, is_over: &AtomicBool) -> Result<usize> {
    let mut changes = 0;
    while !is_over.load(Relaxed) {
        write(home, 17 + changes % 50)?;
        changes += 1;
        thread::sleep(CHANGE);
    }
    Ok(changes)
}

fn latencies(what: &str, latencies: &mut Latencies, failed: u64) -> Row {
    let (p50, p99) = (latencies.at(0.5) / 1e3, latencies.at(0.99) / 1e3);
    let text = format!("p50 {p50:.2} ms, p99 {p99:.2} ms, {failed} failed");
    Row::new(what, text)
}
