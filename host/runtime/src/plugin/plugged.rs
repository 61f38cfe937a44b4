//! The part that every kind of plugin has: its file, its settings, and instances that are replaced after a fault.

use super::{
    file,
    pace::Busy,
    settings::{self, Settings},
};
use crate::{
    bindings::{app::wythe::blocks::types::Metadata, plugin::exports::wythe::plugin::lifecycle},
    compile::Compiled,
    cpu::timed,
    ctx::{Ctx, Identity},
    engine::{Runtime, internal},
    error::{self, Failure},
};
use futures::future::BoxFuture;
use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};
use wythe_blocks::{Backoff, Call, Error, Kind, Result, Site, Tasks, Tenant, Trace, time};
use wythe_manifest::Component;

/// The pause after the first fault; it doubles with each that follows at once, up to the last.
const REST: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(10));

/// The effect of a call: one that was cut short may have changed something, if it writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Reads,
    Writes,
}

/// The driver's part of one kind of plugin.
pub trait World: Send + Sync + 'static {
    type Indices: Send + Sync + 'static;
    type Driver: Send + Sync + 'static;
    const INTERFACE: &'static str;

    fn indices(pre: &InstancePre<Ctx>) -> wasmtime::Result<Self::Indices>;
    fn load(
        indices: &Self::Indices,
        store: &mut Store<Ctx>,
        instance: &Instance,
    ) -> wasmtime::Result<Self::Driver>;
}

/// The world of plugins that export one driver: its name, the driver's bindings, and what it is called in WIT.
macro_rules! world {
    ($world:ident: $driver:ident, $interface:literal) => {
        pub struct $world;

        impl $crate::plugin::plugged::World for $world {
            type Indices = $crate::bindings::plugin::exports::wythe::plugin::$driver::GuestIndices;
            type Driver = $crate::bindings::plugin::exports::wythe::plugin::$driver::Guest;
            const INTERFACE: &'static str = $interface;

            fn indices(
                pre: &::wasmtime::component::InstancePre<$crate::ctx::Ctx>,
            ) -> ::wasmtime::Result<Self::Indices> {
                Self::Indices::new(pre)
            }

            fn load(
                indices: &Self::Indices,
                store: &mut ::wasmtime::Store<$crate::ctx::Ctx>,
                instance: &::wasmtime::component::Instance,
            ) -> ::wasmtime::Result<Self::Driver> {
                indices.load(store, instance)
            }
        }
    };
}
pub(super) use world;

/// One component of type `<block>.wasm`.
pub struct Plugged<W: World> {
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    pre: InstancePre<Ctx>,
    lifecycle: lifecycle::GuestIndices,
    driver: W::Indices,
    component: String,
    metadata: Metadata,
    call: Duration,
    /// Each replica has an instance or makes one; a call has a replica to itself.
    replicas: Vec<Arc<Mutex<Replica<W>>>>,
    next: AtomicU64,
    busy: Busy,
    _compiled: Arc<Compiled>,
}

struct Replica<W: World> {
    live: Option<Live<W>>,
    faults: Backoff,
    /// The time before which there is no new instance.
    rest: Instant,
    /// The generation of the instance that lives now: handles from an older one mean nothing to it.
    generation: u64,
}

struct Live<W: World> {
    store: Store<Ctx>,
    lifecycle: lifecycle::Guest,
    driver: W::Driver,
}

/// A call under way. It fails by the plugin's own answer, or by a trap.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Failure>>;

/// A call that goes on as a task when nobody waits for it any more.
struct Finished<T: Send + 'static> {
    call: Option<BoxFuture<'static, Result<T>>>,
    tasks: Tasks,
}

impl<T: Send + 'static> Future for Finished<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let Some(call) = &mut self.call else {
            return Poll::Ready(Err(Error::internal("the call is over")));
        };
        let answer = ready!(call.as_mut().poll(context));
        self.call = None;
        Poll::Ready(answer)
    }
}

impl<T: Send + 'static> Drop for Finished<T> {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            // It ends at the plugin's own time limit.
            self.tasks.spawn_late(async move { drop(call.await) });
        }
    }
}

impl<W: World> Plugged<W> {
    /// Starts the first instance and asks whether it is well, so that a plugin that cannot start is a problem of the boot.
    pub async fn start_first(self: Arc<Self>) -> Result<Arc<Self>> {
        self.run_live(Effect::Reads, |live, _| {
            Box::pin(async { Ok(live.lifecycle.call_ping(&mut live.store).await??) })
        })
        .await?;
        Ok(self)
    }

    /// Loads the file and checks it; nothing of it runs.
    pub async fn load(
        runtime: Arc<Runtime>,
        tenant: Arc<Tenant>,
        mut component: Component,
        site: Site,
    ) -> Result<Arc<Self>, Vec<Error>> {
        let settings = Settings::take(&mut component).map_err(|error| vec![error])?;
        let loaded = Self::load_with(runtime, tenant, &component, site, settings).await;
        loaded.map_err(|error| vec![settings::at_file(&component, "path", error)])
    }

    async fn load_with(
        runtime: Arc<Runtime>,
        tenant: Arc<Tenant>,
        component: &Component,
        site: Site,
        settings: Settings,
    ) -> Result<Arc<Self>> {
        let shown = settings.path.display().to_string();
        settings.check_hosts(&tenant)?;
        let compiled = file::compile(&runtime, &site, &settings, W::INTERFACE).await?;
        let misfit = |error| {
            let message = format!("`{shown}` is no plugin of the world {}", W::INTERFACE);
            internal(&message, error)
        };
        let pre = runtime.linker.instantiate_pre(&compiled.component);
        let pre = pre.map_err(misfit)?;
        let lifecycle = lifecycle::GuestIndices::new(&pre).map_err(misfit)?;
        let driver = W::indices(&pre).map_err(misfit)?;
        let metadata = component.metadata.iter();
        let metadata = metadata.map(|item| (item.name.clone(), item.value.reveal().to_owned()));
        let replica = |_| Arc::new(Mutex::new(Replica::new()));
        Ok(Arc::new(Plugged {
            metadata: metadata.collect(),
            identity: Arc::new(settings.identity(&runtime, &tenant, &site, Vec::new())),
            replicas: (0..settings.instances).map(replica).collect(),
            next: AtomicU64::new(0),
            busy: Busy::default(),
            component: site.component,
            call: settings.call,
            lifecycle,
            driver,
            runtime,
            pre,
            _compiled: compiled,
        }))
    }

    /// Runs one call in an instance that is nobody else's meanwhile. `run` gets the instance's generation. A call
    /// that its caller gives up is finished all the same: the instance, and what it has in memory, is not lost.
    pub async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        effect: Effect,
        run: impl for<'a> FnOnce(&'a W::Driver, &'a mut Store<Ctx>, u64) -> Answer<'a, T>
        + Send
        + 'static,
    ) -> Result<T> {
        self.run_live(effect, |live, generation| {
            run(&live.driver, &mut live.store, generation)
        })
        .await
    }

    async fn run_live<T: Send + 'static>(
        self: &Arc<Self>,
        effect: Effect,
        run: impl for<'a> FnOnce(&'a mut Live<W>, u64) -> Answer<'a, T> + Send + 'static,
    ) -> Result<T> {
        let replica = self.replica().await;
        let plugged = self.clone();
        Finished {
            call: Some(Box::pin(async move {
                plugged.run_in(replica, effect, run).await
            })),
            tasks: self.tasks().clone(),
        }
        .await
    }

    async fn run_in<T>(
        &self,
        mut replica: OwnedMutexGuard<Replica<W>>,
        effect: Effect,
        run: impl for<'a> FnOnce(&'a mut Live<W>, u64) -> Answer<'a, T>,
    ) -> Result<T> {
        let deadline = time::deadline(self.call);
        if replica.live.is_none() {
            self.revive(&mut replica, deadline).await?;
        }
        let generation = replica.generation;
        let Some(live) = &mut replica.live else {
            return Err(Error::internal("the plugin has no instance"));
        };
        live.store.data_mut().cpu.reset();
        let clock = live.store.data().cpu.clock();
        let answer = timed(clock, run(live, generation));
        let answer = self.busy.counted(answer);
        match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(Ok(answer)) => {
                replica.faults.reset();
                Ok(answer)
            }
            Ok(Err(Failure::Answer(error))) => {
                replica.faults.reset();
                Err(error)
            }
            Ok(Err(Failure::Trap(fault))) => {
                let error = match &replica.live {
                    Some(live) => live.store.data().error_of(&self.component, fault),
                    None => error::of_call(&self.component, fault),
                };
                replica.fault();
                Err(self.cut_short(effect, error))
            }
            Err(_) => {
                replica.fault();
                let late = format!(
                    "plugin `{}` did not answer within {:?}",
                    self.component, self.call
                );
                Err(self.cut_short(effect, Error::timeout(late)))
            }
        }
    }

    /// The first replica that is free, else the next in turn.
    async fn replica(&self) -> OwnedMutexGuard<Replica<W>> {
        if let Some(free) = self
            .replicas
            .iter()
            .find_map(|replica| replica.clone().try_lock_owned().ok())
        {
            return free;
        }
        let turn = self.next.fetch_add(1, Relaxed) as usize % self.replicas.len();
        self.replicas[turn].clone().lock_owned().await
    }

    async fn revive(&self, replica: &mut Replica<W>, deadline: Instant) -> Result<()> {
        let now = Instant::now();
        if now < replica.rest {
            let left = replica.rest - now;
            return Err(Error::unavailable(format!(
                "plugin `{}` is starting again after a fault",
                self.component
            ))
            .with_retry_after(left));
        }
        let start = tokio::time::timeout_at(deadline.into(), self.start()).await;
        let started = start.unwrap_or_else(|_| {
            Err(Error::timeout(format!(
                "plugin `{}` did not start within {:?}",
                self.component, self.call
            )))
        });
        match started {
            Ok(live) => {
                replica.live = Some(live);
                replica.generation += 1;
                Ok(())
            }
            Err(error) => {
                replica.fault();
                Err(error)
            }
        }
    }

    async fn start(&self) -> Result<Live<W>> {
        let fault = |error| error::of_call(&self.component, error);
        let mut store = self.runtime.store(&self.identity, self.caller()).await?;
        let clock = store.data().cpu.clock();
        let instance = timed(clock.clone(), self.pre.instantiate_async(&mut store)).await;
        let instance = instance.map_err(|error| store.data().error_of_start(error))?;
        let lifecycle = self.lifecycle.load(&mut store, &instance).map_err(fault)?;
        let driver = W::load(&self.driver, &mut store, &instance).map_err(fault)?;
        let init = lifecycle.call_init(&mut store, &self.component, &self.metadata);
        let started = timed(clock, init).await.map_err(fault)?;
        started.map_err(|error| {
            let error = Error::from(error);
            Error::new(
                error.kind(),
                format!(
                    "plugin `{}` did not start: {}",
                    self.component,
                    error.message()
                ),
            )
        })?;
        Ok(Live {
            store,
            lifecycle,
            driver,
        })
    }

    /// The plugin's identity for as long as an instance lives: its calls are bounded by `callTimeout`.
    fn caller(&self) -> Call {
        let (tenant, id) = (
            self.identity.tenant.name().clone(),
            self.identity.id.clone(),
        );
        let grants = self.identity.grants.clone();
        Call::app(
            tenant,
            id,
            grants,
            Trace::start(),
            time::deadline(time::NEVER),
        )
    }

    /// The error of a call that was cut short: of a write nobody can say whether it happened.
    fn cut_short(&self, effect: Effect, error: Error) -> Error {
        match effect {
            Effect::Reads => error,
            Effect::Writes => {
                Error::new(Kind::UnknownOutcome, error.message().to_owned()).with_source(error)
            }
        }
    }

    /// A loop that reads from the plugin gives others as long as the plugin took; `asked` is the loop's own.
    pub async fn rest(&self, asked: &AtomicU64) {
        let rest = self.busy.owed(asked);
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
        }
    }

    /// The list of the tasks that outlive a call.
    pub fn tasks(&self) -> &Tasks {
        &self.identity.tenant.tasks
    }

    /// The time that one call may take.
    pub fn patience(&self) -> Duration {
        self.call
    }

    /// An answer that no honest driver gives.
    pub fn violation(&self, what: &str) -> Error {
        Error::internal(format!("plugin `{}` {what}", self.component))
    }
}

impl<W: World> Replica<W> {
    fn new() -> Self {
        Replica {
            live: None,
            faults: REST,
            rest: Instant::now(),
            generation: 0,
        }
    }

    fn fault(&mut self) {
        self.live = None;
        self.rest = time::deadline(self.faults.fail());
    }
}
