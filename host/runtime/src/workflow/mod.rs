//! The machine that runs workflows: an engine of its own, in which the same code over the same journal does the same.

mod journal;
mod linker;
mod skin;

use crate::{
    bindings::workflows::exports::wythe::blocks::workflow_handler::{Guest, GuestIndices},
    cpu::timed,
    ctx::{Ctx, Identity},
    engine::{self, Runtime, internal},
    error,
    slots::Slots,
};
use bytes::Bytes;
use std::sync::Arc;
use wasmtime::{
    Config, Engine, Store,
    component::{Component, InstancePre, Linker},
};
use wythe_blocks::{Call, Error, Result, Trace, time, workflow::Context};

/// Instances of workflows in memory at once; one that waits gives its place to another, and an app has half of them at
/// most.
const INSTANCES: u32 = 256;

/// The engine, and what workflows may import.
pub struct Machine {
    pub engine: Engine,
    pub slots: Arc<Slots>,
    linker: Linker<Ctx>,
}

impl Machine {
    pub fn new(pooled: bool) -> Result<Self> {
        let mut config = config();
        if pooled {
            config.allocation_strategy(engine::pooling(INSTANCES));
        }
        let engine = Engine::new(&config)
            .map_err(|error| internal("the engine of workflows cannot start", error))?;
        let linker = linker::linker(&engine)
            .map_err(|error| internal("the interfaces of workflows do not link", error))?;
        Ok(Machine {
            engine,
            slots: Slots::new(INSTANCES as usize),
            linker,
        })
    }

    pub fn link(&self, component: &Component) -> wasmtime::Result<InstancePre<Ctx>> {
        self.linker.instantiate_pre(component)
    }
}

/// Code is compiled and run so that nothing depends on the processor, and a step ends at the same instruction.
pub(crate) fn config() -> Config {
    let mut config = engine::config();
    config
        .consume_fuel(true)
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true);
    config
}

/// The workflows of one version of an app.
pub struct Flow {
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    pre: InstancePre<Ctx>,
    indices: GuestIndices,
}

impl Flow {
    pub fn new(
        runtime: Arc<Runtime>,
        identity: Arc<Identity>,
        pre: InstancePre<Ctx>,
    ) -> wasmtime::Result<Self> {
        Ok(Flow {
            indices: GuestIndices::new(&pre)?,
            runtime,
            identity,
            pre,
        })
    }

    /// The workflows that it has, by its own words.
    pub async fn names(&self) -> Result<Vec<String>> {
        let limit = self.identity.limits.wall_time;
        let names = async {
            let (mut store, guest) = self.guest(Trace::start(), Context::empty()).await?;
            let clock = store.data().cpu.clock();
            let names = timed(clock, guest.call_workflows(&mut store)).await;
            names.map_err(|error| self.fault(error))
        };
        let app = self.identity.id.as_str();
        let names = tokio::time::timeout(limit, names).await;
        names.unwrap_or_else(|_| Err(error::expired(app)))
    }

    /// Runs until the workflow ends, for as long as that takes. It may be dropped at any wait.
    pub async fn run(
        &self,
        span: Trace,
        context: Context,
        name: &str,
        input: &Bytes,
    ) -> Result<Result<Bytes, String>> {
        let (mut store, guest) = self.guest(span, context).await?;
        let clock = store.data().cpu.clock();
        let answer = timed(clock, guest.call_run(&mut store, name, input)).await;
        // A run is made anew from its journal, so one that had too little memory can be, too.
        let answer = answer.map_err(|error| store.data().error_of_start(error))?;
        Ok(answer.map(Bytes::from))
    }

    async fn guest(&self, span: Trace, context: Context) -> Result<(Store<Ctx>, Guest)> {
        let identity = &self.identity;
        let caller = Call::app(
            identity.tenant.name().clone(),
            identity.id.clone(),
            identity.grants.clone(),
            span,
            time::deadline(time::NEVER),
        );
        let machine = self.runtime.machine().await?;
        let mut store = self.runtime.replayed(machine, identity, caller).await?;
        let wasi = journal::wasi(identity, &context);
        store.data_mut().follow(context, wasi);
        let fuel = store.set_fuel(identity.limits.step_fuel.into());
        fuel.map_err(|error| internal("fuel", error))?;
        let clock = store.data().cpu.clock();
        let instance = timed(clock, self.pre.instantiate_async(&mut store)).await;
        let instance = instance.map_err(|error| store.data().error_of_start(error))?;
        let guest = self.indices.load(&mut store, &instance);
        Ok((store, guest.map_err(|error| self.fault(error))?))
    }

    fn fault(&self, error: wasmtime::Error) -> Error {
        if let Some(cause) = error::cause(&error) {
            self.identity.meters.trapped(cause);
        }
        error::of_call(self.identity.id.as_str(), error)
    }
}
