//! The one engine of the process: its settings, its pool, its clock, and how a component file becomes runnable.

use crate::{
    compile::{Compiled, Compiler, Compiling, Work},
    component_file::{Allowed, ComponentFile},
    cpu::{Cpu, Lane, Share, TICK},
    ctx::{Ctx, Identity},
    egress::{Egress, Hooks},
    inspect::Inspection,
    slots::{Holder, Slots},
    wit,
    workflow::Machine,
};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::OnceCell;
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, MemoryType, OptLevel,
    PoolingAllocationConfig, Store, component::Linker,
};
use wythe_blocks::{Call, Error, Result, Tenant, time::milliseconds};
use wythe_manifest::{AnchoredPath, Metered};

/// Stores that are being taken down have given their slot back, and their part of the pool not yet.
const ENDING: u32 = 16;
pub const STACK: usize = 512 << 10;
/// Mappings that have to be free for each instance of a pool.
const MAPPINGS: usize = 16;

/// The things that the process gives to its guests in all.
pub struct Options {
    /// The directory in which compiled components are kept; absent to compile at each start.
    pub cache: Option<PathBuf>,
    /// The compiler, in a process of its own; absent to compile in this one, without a limit of time or memory.
    pub compiler: Option<Compiler>,
    /// Instances alive at once, over all apps.
    pub instances: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            cache: None,
            compiler: None,
            instances: 1_000,
        }
    }
}

/// The engine with everything that guests share.
pub struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Ctx>,
    pub(crate) egress: Egress,
    /// The machine, made for the first app that has workflows.
    machine: OnceCell<Machine>,
    pooled: bool,
    compiling: Compiling,
    epochs: Arc<Epochs>,
    lane: Arc<Lane>,
    slots: Arc<Slots>,
    /// The slots whose instances actors may keep between turns; they are some of `slots`.
    pub(crate) warm: Arc<Slots>,
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

    /// Moves the epochs, and returns false when no engine is left.
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
        self.0.lock()
    }
}

impl Runtime {
    pub fn new(options: &Options) -> Result<Arc<Self>> {
        let pooled = pool_fits() && mappings_fit(options.instances);
        let mut config = config();
        if pooled {
            config.allocation_strategy(pooling(options.instances));
        } else {
            tracing::warn!(
                "this system gives no room for a pool of instances (4 TiB of address space, see `ulimit -v`; and mappings, \
                 see `vm.max_map_count`): each call maps its own memory, which is two to three times slower"
            );
        }
        let engine = Engine::new(&config)
            .map_err(|error| internal("the wasm engine cannot start", error))?;
        let linker = wit::linker(&engine)
            .map_err(|error| internal("the host's interfaces do not link", error))?;
        let lane = Lane::new();
        let epochs = Epochs::new(&engine);
        tick(epochs.clone(), lane.clone())?;
        Ok(Arc::new(Runtime {
            linker,
            egress: Egress::new(),
            machine: OnceCell::new(),
            pooled,
            compiling: Compiling::new(options.cache.as_deref(), options.compiler.clone()),
            epochs,
            lane,
            slots: Slots::new(options.instances as usize),
            warm: Slots::new(options.instances as usize / 4),
            engine,
        }))
    }

    /// False where the system is too small for a pool of instances.
    pub fn is_pooled(&self) -> bool {
        self.pooled
    }

    /// Reads what a file imports and exports; nothing of it is compiled.
    pub async fn inspect(&self, path: &Path) -> Result<Inspection> {
        let free = Allowed::default();
        let file = ComponentFile::new(AnchoredPath::new(None, path), None, free.clone());
        let (name, bytes) = (file.shown(), file.read().await?);
        self.compiling.inspect(&name, &bytes, &free).await
    }

    /// Does what `inspect` does, of bytes that were read.
    pub(crate) async fn inspect_bytes(
        &self,
        name: &str,
        bytes: &Bytes,
        allowed: &Allowed,
    ) -> Result<Inspection> {
        self.compiling.inspect(name, bytes, allowed).await
    }

    /// Compiles a component for the engine that its exports ask for, or finds it in memory or in the cache. It was
    /// inspected before, and found good.
    pub async fn compile(
        &self,
        name: &str,
        bytes: Bytes,
        inspection: &Inspection,
    ) -> Result<Arc<Compiled>> {
        self.compile_within(name, bytes, inspection, &Allowed::default())
            .await
    }

    /// Does what `compile` does, in the time that the operator allows.
    pub(crate) async fn compile_within(
        &self,
        name: &str,
        bytes: Bytes,
        inspection: &Inspection,
        allowed: &Allowed,
    ) -> Result<Arc<Compiled>> {
        let (work, engine) = match inspection.app.workflow_handler {
            true => (Work::Workflows, &self.machine().await?.engine),
            false => (Work::App, &self.engine),
        };
        let compiled = self.compiling.compile(work, engine, (name, bytes), allowed);
        let compiled = compiled.await?;
        // Whoever had it compiled, this is how long such a file takes.
        allowed.note(Metered::CompileTime, milliseconds(compiled.took));
        Ok(compiled)
    }

    /// Instances that a holder has now; those of workflows are counted with the others.
    pub(crate) fn instances_of(&self, holder: Holder) -> usize {
        let machine = self.machine.get();
        let replayed = machine.map_or(0, |machine| machine.slots.held(holder));
        self.slots.held(holder) + replayed
    }

    /// The machine that runs workflows.
    pub(crate) async fn machine(&self) -> Result<&Machine> {
        let make = async {
            let machine = Machine::new(self.pooled)?;
            self.epochs.add(&machine.engine);
            Ok(machine)
        };
        self.machine.get_or_try_init(|| make).await
    }

    /// A store for one more instance, or `exhausted` when the pool has none for this app.
    pub(crate) async fn store(&self, identity: &Arc<Identity>, caller: Call) -> Result<Store<Ctx>> {
        let cpu = self.cpu(identity, identity.limits.cpu_time);
        self.store_of(&self.engine, &self.slots, identity, caller, cpu)
            .await
    }

    /// A store for a workflow: what bounds its code is fuel, and its time is shared as that of others.
    pub(crate) async fn replayed(
        &self,
        machine: &Machine,
        identity: &Arc<Identity>,
        caller: Call,
    ) -> Result<Store<Ctx>> {
        let cpu = self.cpu(identity, Duration::MAX);
        self.store_of(&machine.engine, &machine.slots, identity, caller, cpu)
            .await
    }

    /// CPU time for one more store, in its tenant's share.
    fn cpu(&self, identity: &Identity, limit: Duration) -> Cpu {
        identity.weigh();
        Cpu::new(limit, self.lane.clone(), identity.share.clone()).metered(&identity.meters)
    }

    /// The share of the CPU that all guests of a tenant have.
    pub(crate) fn share(&self, tenant: &Tenant) -> Arc<Share> {
        let weight = tenant.settings().cpu_weight();
        self.lane.share(tenant.name(), weight)
    }

    async fn store_of(
        &self,
        engine: &Engine,
        slots: &Arc<Slots>,
        identity: &Arc<Identity>,
        caller: Call,
        cpu: Cpu,
    ) -> Result<Store<Ctx>> {
        // The quota refuses at once; it is the pool that is waited for.
        let held = identity.tenant.ledger.hold(Metered::Instances, 1)?;
        let slot = slots.take(identity.holder).await?;
        let caller = caller.with_account(&identity.account);
        let hooks = Hooks::new(caller.clone(), identity.clone(), self.egress.clone());
        let identity = identity.clone();
        let taken = (slot, held);
        Ok(Ctx::store(engine, identity, caller, cpu, hooks, taken))
    }
}

pub(crate) fn internal(message: &str, error: wasmtime::Error) -> Error {
    Error::internal(format!("{message}: {}", error.root_cause())).with_source(format!("{error:#}"))
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

/// Checks that the process may have enough mappings for a pool (`vm.max_map_count`): two for each instance from the
/// start, more while instances run, and some for everything else, for a process without any left is aborted. True where
/// the system does not tell.
fn mappings_fit(instances: u32) -> bool {
    let read = |path| std::fs::read_to_string(path).ok();
    let limit: Option<usize> =
        read("/proc/sys/vm/max_map_count").and_then(|limit| limit.trim().parse().ok());
    let used = read("/proc/self/maps").map(|maps| maps.lines().count());
    let wanted = instances as usize * MAPPINGS;
    match (limit, used) {
        (Some(limit), Some(used)) => used + wanted <= limit,
        _ => true,
    }
}

/// Counts a tick and moves the epochs, again and again while there is an engine.
#[expect(clippy::disallowed_methods, reason = "it is a thread of its own")]
fn tick(epochs: Arc<Epochs>, lane: Arc<Lane>) -> Result<()> {
    let run = move || {
        loop {
            lane.tick();
            if !epochs.advance() {
                return;
            }
            std::thread::sleep(TICK);
        }
    };
    let thread = std::thread::Builder::new().name("wythe-epoch".into());
    let started = thread.spawn(run);
    started.map(drop).map_err(|error| {
        Error::unavailable(format!(
            "this system starts no thread for the clock of guests: {error}; see `ulimit -u` and the limits of its cgroup"
        ))
    })
}
