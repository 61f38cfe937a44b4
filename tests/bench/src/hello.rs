//! (a) HTTP: the same unmodified components behind `wasmtime serve` and behind Wythe, and bare hyper below both.

use crate::{
    Scale,
    child::{Job, Server, scratch},
    guests, load,
    measure::{self, Latencies},
    project::Project,
    report::{Aim, Row, Section},
    wasmtime_serve::{INSTALL, Wasmtime},
};
use anyhow::Result;
use std::{path::Path, time::Duration};

const ROUND: Duration = Duration::from_millis(1000);
const WARM_UP: Duration = Duration::from_millis(150);
const FRESH_AIM: Aim = Aim::AtLeast(1.5, "x");
const WARM_AIM: Aim = Aim::AtLeast(1.0, "x");

/// A server, and which one it is held against.
struct Plan {
    name: &'static str,
    guest: &'static str,
    with: With,
    /// Its place in the list.
    against: Option<usize>,
    aim: Option<Aim>,
}

#[derive(Clone, Copy)]
enum With {
    Hyper,
    Wasmtime(&'static [&'static str]),
    Wythe(&'static str),
}

const FRESH: &str = "";
const WARM_128: &str = "    reuse: { maxRequests: 128 }\n";
const WARM_1000: &str = "    reuse: { maxRequests: 1000 }\n";
const SHARED: &str = "    reuse: { maxRequests: 128, maxConcurrent: 16 }\n";
const ONCE: &[&str] = &["--max-instance-reuse-count", "1"];
/// The settings of Wythe's own pool.
const TUNED: &[&str] = &[
    "-Opooling-memory-keep-resident=2097152",
    "-Opooling-table-keep-resident=524288",
    "-Opooling-async-stack-keep-resident=65536",
    "-Opooling-pagemap-scan=auto",
];
const REUSE: &[&str] = &["--max-instance-reuse-count", "128"];

const PLANS: &[Plan] = &[
    plan("hyper alone, same answer", "plain", With::Hyper, None, None),
    plan(
        "0.2: wasmtime serve (fresh: its default)",
        "plain",
        With::Wasmtime(&[]),
        None,
        None,
    ),
    plan(
        "0.2: Wythe fresh (default)",
        "plain",
        With::Wythe(FRESH),
        Some(1),
        Some(FRESH_AIM),
    ),
    plan(
        "0.2: wasmtime serve, reuse 128",
        "plain",
        With::Wasmtime(REUSE),
        None,
        None,
    ),
    plan(
        "0.2: Wythe warm, reuse 128",
        "plain",
        With::Wythe(WARM_128),
        Some(3),
        Some(WARM_AIM),
    ),
    plan(
        "0.2: Wythe warm, reuse 1000",
        "plain",
        With::Wythe(WARM_1000),
        Some(3),
        None,
    ),
    plan(
        "0.3: wasmtime serve, reuse 1 (fresh)",
        "plain3",
        With::Wasmtime(ONCE),
        None,
        None,
    ),
    plan(
        "0.3: Wythe fresh (default)",
        "plain3",
        With::Wythe(FRESH),
        Some(6),
        Some(FRESH_AIM),
    ),
    plan(
        "0.3: wasmtime serve (128 x 16: its default)",
        "plain3",
        With::Wasmtime(&[]),
        None,
        None,
    ),
    plan(
        "0.3: Wythe warm, reuse 128 x 16",
        "plain3",
        With::Wythe(SHARED),
        Some(8),
        Some(WARM_AIM),
    ),
    plan(
        "0.2: wasmtime serve, fresh, pool tuned as Wythe's",
        "plain",
        With::Wasmtime(TUNED),
        None,
        None,
    ),
];

const fn plan(
    name: &'static str,
    guest: &'static str,
    with: With,
    against: Option<usize>,
    aim: Option<Aim>,
) -> Plan {
    Plan {
        name,
        guest,
        with,
        against,
        aim,
    }
}

/// The measurements of one server, a number for each round.
#[derive(Default)]
struct Measured {
    cpu: Vec<f64>,
    per_second: Vec<f64>,
    latencies: Latencies,
}

pub fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let wasmtime = Wasmtime::find();
    let mut servers = Vec::new();
    let mut all: Vec<Measured> = Vec::new();
    for (index, plan) in PLANS.iter().enumerate() {
        servers.push(start(
            plan,
            wasmtime.as_ref(),
            &directory.path().join(index.to_string()),
        )?);
        all.push(Measured::default());
    }
    for _ in 0..scale.pick(5, 1) {
        for (server, measured) in servers.iter().zip(&mut all) {
            if let Some(server) = server {
                round(server, scale.time(ROUND), measured)?;
            }
        }
    }
    let mut section = Section::new(
        "(a) HTTP hello, 32 connections kept alive; ratio is by CPU time of the server per request",
    );
    for index in 0..PLANS.len() {
        section.rows.push(row(index, &mut all));
    }
    Ok(section)
}

fn start(plan: &Plan, wasmtime: Option<&Wasmtime>, directory: &Path) -> Result<Option<Server>> {
    let component = guests::file(plan.guest);
    Ok(match plan.with {
        With::Hyper => Some(Job::Hyper.serve()?),
        With::Wasmtime(arguments) => wasmtime
            .map(|wasmtime| wasmtime.serve(&component, arguments))
            .transpose()?,
        With::Wythe(reuse) => {
            let apps = format!(
                "  - appID: plain\n    guest: {}.wasm\n    ingress: /\n{reuse}",
                plan.guest
            );
            Project::write(directory, &apps, "")?;
            Some(Job::Wythe(directory.to_owned()).serve()?)
        }
    })
}

fn round(server: &Server, time: Duration, measured: &mut Measured) -> Result<()> {
    load::run(server.address, time.min(WARM_UP))?;
    let process = server.process.0.id();
    let before = measure::cpu(process)?;
    let load = load::run(server.address, time)?;
    let used = measure::cpu(process)?.saturating_sub(before);
    measured.cpu.push(measure::each(used, load.requests));
    measured.per_second.push(load.per_second());
    measured.latencies.merge(load.latencies);
    Ok(())
}

fn row(index: usize, all: &mut [Measured]) -> Row {
    let plan = &PLANS[index];
    if all[index].cpu.is_empty() {
        return Row::not_measured(plan.name, format!("wasmtime 48 is not there: {INSTALL}"));
    }
    let latencies = &mut all[index].latencies;
    let (middle, late) = (latencies.at(0.5), latencies.at(0.99));
    let measured = &all[index];
    let text = format!(
        "{:>6.0} req/s, p50 {middle:>5.0} us, p99 {late:>5.0} us",
        measure::median(&measured.per_second)
    );
    let row = Row::new(plan.name, text).cpu(measure::median(&measured.cpu));
    let Some(other) = plan.against.map(|other| &all[other]) else {
        return row;
    };
    if other.cpu.is_empty() {
        return row.ratio("not measured");
    }
    let ratios: Vec<f64> = other
        .cpu
        .iter()
        .zip(&measured.cpu)
        .map(|(other, own)| other / own)
        .collect();
    let ratio = measure::median(&ratios);
    let row = row.ratio(format!("{ratio:.2}x of wasmtime"));
    match plan.aim {
        Some(aim) => row.aim(aim, ratio),
        None => row,
    }
}
