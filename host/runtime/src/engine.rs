//! The one engine of the process: its settings, its pool, its clock, and how a component file becomes runnable.

use crate::{
    cache::Cache,
    cpu::{Cpu, Lane, TICK},
    ctx::{Ctx, Identity},
    egress::{Egress, Hooks},
    inspect::{self, Inspection, WORKFLOWS},
    slots::Slots,
    wit,
    workflow::Machine,
};
use blake3::Hash;
use std::{
    collections::HashMap,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};
use tokio::sync::{OnceCell, Semaphore};
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, MemoryType, OptLevel,
    PoolingAllocationConfig, Store,
    component::{Component, Linker},
};
use wythe_blocks::{Caller, Error, Result};

/// Stores that are being taken down have given their slot back, and their part of the pool not yet.
const ENDING: u32 = 16;
const STACK: usize = 512 << 10;

/// What the process gives to its guests in all.
pub struct Options {
    /// Where compiled components are kept; absent to compile at each start.
    pub cache: Option<PathBuf>,
    /// Instances alive at once, over all apps.
    pub instances: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cache: None,
            instances: 1_000,
        }
    }
}

/// The engine with everything that guests share.
pub struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Ctx>,
    pub(crate) egress: Egress,
    /// Made for the first app that has workflows.
    machine: OnceCell<Machine>,
    pooled: bool,
    cache: Option<Cache>,
    epochs: Arc<Epochs>,
    lane: Arc<Lane>,
    slots: Arc<Slots>,
    /// Of the slots, those whose instances actors may keep between turns.
    pub(crate) warm: Arc<Slots>,
    /// Equal files are compiled and mapped once.
    compiled: Mutex<HashMap<(Hash, Use), Weak<Compiled>>>,
    /// One compilation at a time: it uses every core by itself and must not starve requests.
    compiling: Semaphore,
}

/// The engines whose epochs move together.
struct Epochs(Mutex<Vec<EngineWeak>>);

impl Epochs {
    fn new(engine: &Engine) -> Arc<Self> {
        Arc::new(Epochs(Mutex::new(vec![engine.weak()])))
    }

    fn add(&self, engine: &Engine) {
        self.lock().push(engine.weak());
    }

    /// False when no engine is left.
    fn advance(&self) -> bool {
        let mut engines = self.lock();
        engines.retain(|engine| match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                true
            }
            None => false,
        });
        !engines.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<EngineWeak>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A component with its digest.
pub struct Compiled {
    pub digest: Hash,
    pub component: Component,
}

/// Which engine a component is compiled for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    Any,
    Workflows,
}

impl Runtime {
    pub fn new(options: &Options) -> Result<Arc<Self>> {
        let pooled = pool_fits();
        let mut config = config();
        if pooled {
            config.allocation_strategy(pooling(options.instances));
        } else {
            tracing::warn!(
                "this system gives no room for a pool of instances (4 TiB of address space; see `ulimit -v`): \
                 each call maps its own memory, which is two to three times slower"
            );
        }
        let engine = Engine::new(&config)
            .map_err(|error| internal("the wasm engine cannot start", error))?;
        let linker = wit::linker(&engine)
            .map_err(|error| internal("the host's interfaces do not link", error))?;
        let cache = options.cache.as_deref().and_then(|directory| {
            let opened = Cache::open(directory);
            opened
                .inspect_err(|error| tracing::warn!(directory = %directory.display(), "no compile cache: {error}"))
                .ok()
        });
        let lane = Lane::new();
        let epochs = Epochs::new(&engine);
        tick(epochs.clone(), lane.clone());
        Ok(Arc::new(Runtime {
            linker,
            egress: Egress::new(),
            machine: OnceCell::new(),
            pooled,
            cache,
            epochs,
            lane,
            slots: Slots::new(options.instances as usize),
            warm: Slots::new(options.instances as usize / 4),
            compiled: Mutex::default(),
            compiling: Semaphore::new(1),
            engine,
        }))
    }

    /// False where the system is too small for a pool of instances.
    pub fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Compiles a component, or finds it in memory or in the cache.
    pub async fn compile(self: &Arc<Self>, name: &str, bytes: Vec<u8>) -> Result<Arc<Compiled>> {
        self.compile_for(Use::Any, &self.engine, name, bytes).await
    }

    /// As `compile`, for the engine that the component's exports ask for.
    pub async fn compile_app(
        self: &Arc<Self>,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<(Arc<Compiled>, Inspection)> {
        // A name in the file that is no export costs a second compilation, and nothing else.
        if mentions(&bytes, WORKFLOWS.as_bytes()) {
            let engine = &self.machine().await?.engine;
            let compiled = self.compile_for(Use::Workflows, engine, name, bytes.clone());
            let compiled = compiled.await?;
            let inspection = inspect::inspect(engine, &compiled.component);
            if inspection.app.workflow_handler {
                return Ok((compiled, inspection));
            }
        }
        let compiled = self.compile(name, bytes).await?;
        let inspection = inspect::inspect(&self.engine, &compiled.component);
        Ok((compiled, inspection))
    }

    /// What runs workflows.
    pub(crate) async fn machine(&self) -> Result<&Machine> {
        let make = async {
            let machine = Machine::new(self.pooled)?;
            self.epochs.add(&machine.engine);
            Ok(machine)
        };
        self.machine.get_or_try_init(|| make).await
    }

    async fn compile_for(
        self: &Arc<Self>,
        what: Use,
        engine: &Engine,
        name: &str,
        bytes: Vec<u8>,
    ) -> Result<Arc<Compiled>> {
        let digest = blake3::hash(&bytes);
        let known = || {
            self.lock_compiled()
                .get(&(digest, what))
                .and_then(Weak::upgrade)
        };
        if let Some(compiled) = known() {
            return Ok(compiled);
        }
        let _turn = self.compiling.acquire().await;
        if let Some(compiled) = known() {
            return Ok(compiled);
        }
        let (runtime, engine, name) = (self.clone(), engine.clone(), name.to_owned());
        let component = tokio::task::spawn_blocking(move || {
            runtime.compile_now(&engine, &name, &digest, &bytes)
        });
        let component = component
            .await
            .map_err(|error| Error::internal("the compiler ended early").with_source(error))??;
        let compiled = Arc::new(Compiled { digest, component });
        let mut map = self.lock_compiled();
        map.retain(|_, weak| weak.strong_count() > 0);
        map.insert((digest, what), Arc::downgrade(&compiled));
        Ok(compiled)
    }

    fn lock_compiled(&self) -> std::sync::MutexGuard<'_, HashMap<(Hash, Use), Weak<Compiled>>> {
        self.compiled
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn compile_now(
        &self,
        engine: &Engine,
        name: &str,
        digest: &Hash,
        bytes: &[u8],
    ) -> Result<Component> {
        if let Some(component) = self
            .cache
            .as_ref()
            .and_then(|cache| cache.load(engine, digest))
        {
            return Ok(component);
        }
        check_form(name, bytes)?;
        let component = Component::from_binary(engine, bytes).map_err(|error| {
            Error::invalid(format!(
                "`{name}` is no valid component: {}",
                error.root_cause()
            ))
            .with_source(format!("{error:#}"))
        })?;
        if let Some(cache) = &self.cache
            && let Err(error) = cache.store(engine, digest, &component)
        {
            tracing::warn!("the compiled component is not kept: {error:#}");
        }
        Ok(component)
    }

    /// A store for one more instance, or `exhausted` when the pool has none for this app.
    pub(crate) async fn store(
        &self,
        identity: &Arc<Identity>,
        caller: Caller,
    ) -> Result<Store<Ctx>> {
        let cpu = Cpu::new(identity.limits.cpu_time, self.lane.clone());
        self.store_of(&self.engine, &self.slots, identity, caller, cpu)
            .await
    }

    /// A store for a workflow: what bounds its code is fuel, and its time is shared as that of others.
    pub(crate) async fn replayed(
        &self,
        machine: &Machine,
        identity: &Arc<Identity>,
        caller: Caller,
    ) -> Result<Store<Ctx>> {
        let cpu = Cpu::new(Duration::MAX, self.lane.clone());
        self.store_of(&machine.engine, &machine.slots, identity, caller, cpu)
            .await
    }

    async fn store_of(
        &self,
        engine: &Engine,
        slots: &Arc<Slots>,
        identity: &Arc<Identity>,
        caller: Caller,
        cpu: Cpu,
    ) -> Result<Store<Ctx>> {
        let slot = slots.take(identity.holder).await?;
        let hooks = Hooks::new(caller.clone(), identity.clone(), self.egress.clone());
        let identity = identity.clone();
        Ok(Ctx::store(engine, identity, caller, cpu, hooks, slot))
    }
}

/// Whether the bytes have the name in them.
fn mentions(bytes: &[u8], name: &[u8]) -> bool {
    bytes.windows(name.len()).any(|window| window == name)
}

pub(crate) fn internal(message: &str, error: wasmtime::Error) -> Error {
    Error::internal(format!("{message}: {}", error.root_cause())).with_source(format!("{error:#}"))
}

/// The first eight bytes say what a file is, and the compiler's own words would not.
fn check_form(name: &str, bytes: &[u8]) -> Result<()> {
    let form = match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => return Ok(()),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {
            "a core wasm module; expected a component: build it for the target wasm32-wasip2"
        }
        Some([0x7f, b'E', b'L', b'F', ..]) => {
            "a compiled file; expected a component (.wasm), which the host compiles itself"
        }
        _ => "no wasm file; expected a component built for the target wasm32-wasip2",
    };
    Err(Error::invalid(format!("`{name}` is {form}")))
}

pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .max_wasm_stack(STACK)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        .memory_init_cow(true);
    config
}

pub(crate) fn pooling(slots: u32) -> InstanceAllocationStrategy {
    let instances = slots + ENDING;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(instances)
        .total_core_instances(instances * 4)
        .total_memories(instances)
        .total_tables(instances * 2)
        .total_stacks(instances)
        .max_memories_per_component(8)
        .max_tables_per_component(16)
        .table_elements(100_000)
        .max_core_instance_size(10 << 20)
        .max_component_instance_size(10 << 20)
        .max_unused_warm_slots(instances / 4)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(512 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Asks for the pool's address space once, to learn whether this system gives it.
fn pool_fits() -> bool {
    let mut config = Config::new();
    config
        .wasm_memory64(true)
        .memory_reservation(1 << 42)
        .memory_guard_size(0);
    let Ok(engine) = Engine::new(&config) else {
        return false;
    };
    let mut store = Store::new(&engine, ());
    wasmtime::Memory::new(&mut store, MemoryType::new64(0, None)).is_ok()
}

/// Counts a tick and moves the epochs, again and again while there is an engine.
fn tick(epochs: Arc<Epochs>, lane: Arc<Lane>) {
    let run = move || {
        loop {
            lane.tick();
            if !epochs.advance() {
                return;
            }
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new()
        .name("wythe-epoch".into())
        .spawn(run)
        .expect("the system starts one more thread");
}
