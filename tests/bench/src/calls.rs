//! (b) The cost of a call from a guest to the host: an empty function, `state.get` in memory, and through a plugin.

use crate::{
    Scale,
    child::scratch,
    guests, measure,
    project::{Project, Wythe},
    report::{Aim, Row, Section},
};
use anyhow::{Context, Result};
use std::{num::NonZeroUsize, time::Duration};
use wasmtime::{
    Config, Engine, OptLevel, Store,
    component::{Component, Linker, TypedFunc},
};

const APPS: &str = "  - appID: meter
    guest: meter.wasm
    grants: { state: [statestore, plugin], publish: [pubsub], invoke: [meter] }
    reuse: { maxRequests: 1000000, idle: 1h }
";
const MEMORY_AIM: Aim = Aim::AtMost(1.5, "us");
const PLUGIN_AIM: Aim = Aim::AtMost(3.0, "us");
/// Calls in one call of the guest, so that entering it does not count.
const TIMES: u64 = 20_000;

fn resources() -> String {
    format!(
        "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: statestore }}
spec: {{ type: state.memory, version: v1 }}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: plugin }}
spec:
  type: state.wasm
  version: v1
  metadata: [{{ name: path, value: {} }}]
",
        guests::file("ttl_cache").display()
    )
}

/// The cost of one call, in microseconds, a number for each round.
#[derive(Default)]
struct Cost {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

impl Cost {
    async fn round(
        &mut self,
        calls: u64,
        time: impl AsyncFnOnce() -> Result<Duration>,
    ) -> Result<()> {
        let before = measure::own_cpu()?;
        let wall = time().await?;
        let cpu = measure::own_cpu()?.saturating_sub(before);
        self.wall.push(measure::each(wall, calls));
        self.cpu.push(measure::each(cpu, calls));
        Ok(())
    }

    fn row(&self, what: &str, base: &Cost) -> Row {
        let (wall, base) = (measure::median(&self.wall), measure::median(&base.wall));
        Row::new(what, format!("{wall:.3} us per call"))
            .cpu(measure::median(&self.cpu))
            .ratio(format!("{:.1}x of empty", wall / base))
    }
}

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let wythe = Project::write(directory.path(), APPS, &resources())?
        .start()
        .await?;
    for component in ["statestore", "plugin"] {
        wythe
            .ask("meter", &format!("/put?bytes=64&component={component}"))
            .await?;
    }
    let mut empty = Empty::new().await?;
    let mut costs: [Cost; 3] = Default::default();
    let repeat = scale.pick(25, 2);
    for _ in 0..scale.pick(7, 1) {
        let [nop, memory, plugin] = &mut costs;
        nop.round(TIMES * repeat, async || empty.calls(TIMES * repeat).await)
            .await?;
        memory
            .round(TIMES * repeat, async || {
                gets(&wythe, "statestore", repeat).await
            })
            .await?;
        plugin
            .round(TIMES * repeat, async || {
                gets(&wythe, "plugin", repeat).await
            })
            .await?;
    }
    wythe.stop().await;
    Ok(reported(&costs))
}

fn reported([nop, memory, plugin]: &[Cost; 3]) -> Section {
    let mut section =
        Section::new("(b) a call from a guest to the host, one guest at a time, value of 64 bytes");
    section.rows = vec![
        nop.row(
            "empty function (func_wrap_async, same engine settings)",
            nop,
        ),
        memory
            .row("state.get, memory", nop)
            .aim(MEMORY_AIM, measure::median(&memory.wall)),
        plugin
            .row("state.get, plugin ttl-cache", nop)
            .aim(PLUGIN_AIM, measure::median(&plugin.wall)),
    ];
    section
}

async fn gets(wythe: &Wythe, component: &str, repeat: u64) -> Result<Duration> {
    let mut sum = 0;
    for _ in 0..repeat {
        let answer = wythe
            .ask("meter", &format!("/get?n={TIMES}&component={component}"))
            .await?;
        sum += answer
            .parse::<u64>()
            .context("the guest answers nanoseconds")?;
    }
    Ok(Duration::from_nanos(sum))
}

const NOP: &str = r#"(component
    (import "nop" (func $nop))
    (core func $lowered (canon lower (func $nop)))
    (core module $module
        (import "" "nop" (func $nop))
        (func (export "repeat") (param $times i32)
            (loop $again
                call $nop
                (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))))
    (core instance $instance (instantiate $module (with "" (instance (export "nop" (func $lowered))))))
    (func (export "repeat") (param "times" u32) (canon lift (core func $instance "repeat"))))"#;

/// A guest that calls a function of the host that does nothing.
struct Empty {
    store: Store<()>,
    repeat: TypedFunc<(u32,), ()>,
}

impl Empty {
    async fn new() -> Result<Self> {
        let mut config = Config::new();
        config
            .epoch_interruption(true)
            .cranelift_opt_level(OptLevel::Speed)
            .max_wasm_stack(512 << 10)
            .wasm_backtrace_max_frames(NonZeroUsize::new(16))
            .memory_init_cow(true);
        let engine = Engine::new(&config)?;
        let component = Component::new(&engine, wat::parse_str(NOP)?)?;
        let mut linker = Linker::new(&engine);
        linker
            .root()
            .func_wrap_async("nop", |_, ()| Box::new(async { Ok(()) }))?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let instance = linker.instantiate_async(&mut store, &component).await?;
        let repeat = instance.get_typed_func(&mut store, "repeat")?;
        Ok(Empty { store, repeat })
    }

    async fn calls(&mut self, times: u64) -> Result<Duration> {
        let begin = std::time::Instant::now();
        self.repeat
            .call_async(&mut self.store, (u32::try_from(times)?,))
            .await?;
        Ok(begin.elapsed())
    }
}
