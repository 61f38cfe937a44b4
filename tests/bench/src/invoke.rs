//! (c) One guest calls another: what the caller waits, with a fresh callee for each call and with a warm one.

use crate::{
    Scale,
    child::scratch,
    measure::{self, Latencies},
    project::{Project, Wythe},
    report::{Aim, Row, Section},
};
use anyhow::Result;

const APPS: &str = "  - appID: caller
    guest: meter.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [fresh, warm] }
    reuse: { maxRequests: 1000000, idle: 1h }
  - appID: fresh
    guest: meter.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [fresh, warm] }
  - appID: warm
    guest: meter.wasm
    grants: { state: [statestore], publish: [pubsub], invoke: [fresh, warm] }
    reuse: { maxRequests: 1000 }
";
const FRESH_AIM: Aim = Aim::AtMost(40.0, "us");
const WARM_AIM: Aim = Aim::AtMost(8.0, "us");
/// Calls in one call of the caller.
const TIMES: u64 = 1_000;

#[derive(Default)]
struct Cost {
    latencies: Latencies,
    middle: Vec<f64>,
    cpu: Vec<f64>,
}

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let wythe = Project::write(directory.path(), APPS, "")?.start().await?;
    let (mut fresh, mut warm) = (Cost::default(), Cost::default());
    for _ in 0..scale.pick(7, 1) {
        fresh.round(&wythe, "fresh", scale.pick(5, 1)).await?;
        warm.round(&wythe, "warm", scale.pick(20, 1)).await?;
    }
    wythe.stop().await;
    let mut section = Section::new(
        "(c) a guest invokes a guest and waits for its empty answer, one call at a time",
    );
    let middle = fresh.middle();
    section.rows.push(
        fresh
            .row("invoke, fresh callee (default)")
            .aim(FRESH_AIM, middle),
    );
    let middle = warm.middle();
    section.rows.push(
        warm.row("invoke, warm callee (reuse 1000)")
            .aim(WARM_AIM, middle),
    );
    Ok(section)
}

impl Cost {
    async fn round(&mut self, wythe: &Wythe, app: &str, repeat: u64) -> Result<()> {
        let before = measure::own_cpu()?;
        let mut latencies = Latencies::default();
        for _ in 0..repeat {
            let answer = wythe
                .ask("caller", &format!("/invoke?app={app}&n={TIMES}"))
                .await?;
            latencies.extend(answer.lines().filter_map(|line| line.parse::<u64>().ok()));
        }
        let cpu = measure::own_cpu()?.saturating_sub(before);
        self.cpu.push(measure::each(cpu, repeat * TIMES));
        self.middle.push(latencies.at(0.5));
        self.latencies.merge(latencies);
        Ok(())
    }

    fn middle(&self) -> f64 {
        measure::median(&self.middle)
    }

    fn row(&mut self, what: &str) -> Row {
        let text = format!(
            "p50 {:.1} us, p99 {:.1} us",
            self.middle(),
            self.latencies.at(0.99)
        );
        Row::new(what, text).cpu(measure::median(&self.cpu))
    }
}
