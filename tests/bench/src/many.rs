//! (o) A thousand tenants in one host, served by the command as people start it: how soon and in how much memory, how
//! long requests take of a hundred of them, and of one while the manifest of another changes.

use crate::{
    Scale,
    child::{Process, scratch},
    guests, load, machine, measure,
    measure::Latencies,
    report::{Aim, Row, Section},
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{ChildStdout, Command, ExitCode, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

/// The variable with which this program is the command `wythe`.
const AS_COMMAND: &str = "WYTHE_BENCH_AS_COMMAND";
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

/// Runs the command `wythe`, where that is what this process was started for.
pub fn command() -> Option<ExitCode> {
    std::env::var_os(AS_COMMAND)?;
    wythe::compiler::is_the_command(&[(AS_COMMAND, "1")]);
    Some(wythe::main())
}

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
    let first = Serving::start(root)?;
    section
        .rows
        .push(first.row("first start, nothing compiled yet"));
    drop(first);
    let serving = Serving::start(root)?;
    let (seconds, resident) = (serving.ready.as_secs_f64(), serving.resident());
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

struct Serving {
    process: Process,
    address: SocketAddr,
    ready: Duration,
    /// The rest of its output, which may go on.
    _output: BufReader<ChildStdout>,
}

impl Serving {
    fn start(root: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let begin = Instant::now();
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["serve", "--listen", &address.to_string()])
            .arg("--root")
            .arg(root)
            .env(AS_COMMAND, "1");
        let log = root.join("log");
        let stderr = fs::File::create(&log)?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut process = Process(command.spawn().context("the benchmark starts itself")?);
        let output = process.0.stdout.take().context("a child has an output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line)? > 0 {
            if line.trim_start().starts_with("Ready") {
                return Ok(Serving {
                    process,
                    address,
                    ready: begin.elapsed(),
                    _output: output,
                });
            }
            line.clear();
        }
        bail!(
            "`wythe serve` ended before it was ready: {}",
            fs::read_to_string(log)?
        )
    }

    fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Its resident memory in MB.
    fn resident(&self) -> f64 {
        let text = machine::field(&format!("/proc/{}/status", self.pid()), "VmRSS");
        let kib = text.split(' ').next().and_then(|kib| kib.parse().ok());
        kib.unwrap_or(f64::NAN) * 1024.0 / 1e6
    }

    fn row(&self, what: &str) -> Row {
        let text = format!(
            "ready after {:.1} s, {:.0} MB",
            self.ready.as_secs_f64(),
            self.resident()
        );
        Row::new(what, text)
    }

    fn idle(&self, time: Duration) -> Result<Row> {
        let before = measure::cpu(self.pid())?;
        thread::sleep(time);
        let used = measure::cpu(self.pid())?.saturating_sub(before);
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
        let text = format!("{:.0} MB", self.resident());
        rows.push(Row::new("memory after that", text));
        Ok(rows)
    }

    fn ask(&self, paths: &[String], time: Duration) -> Result<(Latencies, u64)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(load::on_time_of(self.address, paths, time))
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
                let mut client = load::Client::connect_to(self.address, path).await?;
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
