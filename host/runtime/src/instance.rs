//! Instances for calls that are not HTTP: fresh by default, kept warm where the manifest says so, dropped after a fault.

use crate::{
    cpu::timed,
    ctx::{Ctx, Identity},
    engine::Runtime,
    error,
};
use parking_lot::Mutex;
use std::{sync::Arc, time::Instant};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};
use wythe_blocks::{Call, Result};
use wythe_manifest::Reuse;

/// An instance in its own store.
pub struct Warm {
    pub store: Store<Ctx>,
    pub instance: Instance,
    calls: u32,
    since: Instant,
}

/// The idle instances of one version of one guest.
pub struct Pool {
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    pre: InstancePre<Ctx>,
    reuse: Reuse,
    idle: Mutex<Vec<Warm>>,
}

impl Pool {
    pub fn new(
        runtime: Arc<Runtime>,
        identity: Arc<Identity>,
        pre: InstancePre<Ctx>,
        reuse: Reuse,
    ) -> Self {
        Pool {
            runtime,
            identity,
            pre,
            reuse,
            idle: Mutex::default(),
        }
    }

    /// Runs `call` in an instance, never past the caller's deadline. An instance whose call failed or was cut
    /// short is not used again.
    pub async fn run<T>(
        &self,
        caller: Call,
        call: impl AsyncFnOnce(&mut Store<Ctx>, &Instance) -> wasmtime::Result<T>,
    ) -> Result<T> {
        let (answer, warm) = self.run_in(self.idle(), caller, call).await?;
        self.give_back(warm);
        Ok(answer)
    }

    /// Does what [`Pool::run`] does, in an instance that the caller keeps, or in a fresh one; the instance comes back.
    pub async fn run_in<T>(
        &self,
        warm: Option<Warm>,
        caller: Call,
        call: impl AsyncFnOnce(&mut Store<Ctx>, &Instance) -> wasmtime::Result<T>,
    ) -> Result<(T, Warm)> {
        let app = self.identity.id.as_str();
        let deadline = caller.deadline();
        let run = async {
            let mut warm = match warm {
                Some(mut warm) => {
                    warm.store.data_mut().begin(caller);
                    warm
                }
                None => self.fresh(caller).await?,
            };
            let clock = warm.store.data().cpu.clock();
            let answer = timed(clock, call(&mut warm.store, &warm.instance)).await;
            let answer = answer.map_err(|error| warm.store.data().error_of_call(error))?;
            Ok((answer, warm))
        };
        match tokio::time::timeout_at(deadline.into(), run).await {
            Ok(answer) => answer,
            Err(_) => Err(error::expired(app)),
        }
    }

    fn idle(&self) -> Option<Warm> {
        if self.reuse.max_requests <= 1 {
            return None;
        }
        let mut idle = self.lock();
        loop {
            let warm = idle.pop()?;
            if warm.since.elapsed() < self.reuse.idle {
                return Some(warm);
            }
        }
    }

    async fn fresh(&self, caller: Call) -> Result<Warm> {
        let mut store = self.runtime.store(&self.identity, caller).await?;
        let clock = store.data().cpu.clock();
        let instance = timed(clock, self.pre.instantiate_async(&mut store)).await;
        let instance = instance.map_err(|error| store.data().error_of_start(error))?;
        Ok(Warm {
            store,
            instance,
            calls: 0,
            since: Instant::now(),
        })
    }

    fn give_back(&self, mut warm: Warm) {
        warm.calls += 1;
        warm.since = Instant::now();
        if warm.calls < self.reuse.max_requests && self.identity.may_keep() {
            self.lock().push(warm);
        }
    }

    /// Drops instances that have been idle for too long.
    pub fn sweep(&self) {
        let idle = self.reuse.idle;
        self.lock().retain(|warm| warm.since.elapsed() < idle);
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, Vec<Warm>> {
        self.idle.lock()
    }
}
