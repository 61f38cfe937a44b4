//! The data of a store: who the guest is, on whose behalf it runs now, and what it may take.

use crate::{
    cpu::{Bill, Cpu, Share},
    egress::{self, Hooks, Onward},
    engine::Runtime,
    error,
    fields::Held,
    limits::{self, Limiter},
    log::{Log, Output},
    servers::{self, Servers},
    slots::{Holder, Slot},
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tracing::Level;
use wasmtime::{
    Engine, Store,
    component::{Resource, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wythe_blocks::{
    Account, Call, Cause, Error, Meters, Rate, Result, Tenant, quota,
    workflow::{Context, Price},
};
use wythe_manifest::{ByteSize, Grants, Limits, Metered, Name};

/// Bytes of all headers of one message, as they lie in memory.
const HEADERS: usize = 64 << 10;
/// Bytes of one answer of `wasi:random`.
pub const RANDOM: u64 = 64 << 10;

/// The facts that stay the same over all instances of a guest.
pub struct Identity {
    pub tenant: Arc<Tenant>,
    /// The tenant's share of the CPU.
    pub share: Arc<Share>,
    pub id: Name,
    /// Counts its instances against its share of the pool.
    pub holder: Holder,
    pub grants: Arc<Grants>,
    pub limits: Limits,
    pub env: Vec<(String, String)>,
    pub log: Arc<Log>,
    /// Requests under way to the outside.
    pub outgoing: Arc<Semaphore>,
    /// The servers that it may connect to; an app has none.
    pub servers: Option<Arc<Servers>>,
    /// Lines about requests that were denied.
    pub denied: Rate,
    /// The account of what the host holds for all instances.
    pub account: Account,
    /// Counts of what all instances take.
    pub meters: Arc<Meters>,
}

impl Identity {
    /// The identity of an app or a plugin, with nothing of it under way.
    pub fn new(
        runtime: &Runtime,
        tenant: &Arc<Tenant>,
        id: Name,
        grants: Arc<Grants>,
        limits: &Limits,
        env: Vec<(String, String)>,
        meters: &Arc<Meters>,
    ) -> Self {
        let servers = Servers::new(tenant.name(), &id, &grants.tcp, meters);
        Identity {
            log: Arc::new(Log::new(
                tenant,
                id.clone(),
                limits.log_bytes_per_second,
                meters.clone(),
            )),
            meters: meters.clone(),
            outgoing: egress::under_way(limits.outgoing_requests),
            denied: Rate::per_minute(DENIALS),
            account: Account::new(id.clone(), limits.host_memory, tenant.ledger.clone()),
            id,
            holder: Holder::of(tenant.ledger.number()),
            servers,
            grants,
            limits: limits.clone(),
            env,
            share: runtime.share(tenant),
            tenant: tenant.clone(),
        }
    }

    /// The handles of an instance.
    pub fn handles(&self) -> usize {
        let handles = self.limits.handles as usize;
        match self.servers {
            Some(_) => handles.min(servers::HANDLES),
            None => handles,
        }
    }

    /// Gives the share the weight that the tenant has now.
    pub fn weigh(&self) {
        let weight = self.tenant.settings().cpu_weight();
        self.share.set_weight(weight);
    }

    /// Says whether an instance may wait for another call: of its quota a tenant keeps a half for what is new.
    pub fn may_keep(&self) -> bool {
        let ledger = &self.tenant.ledger;
        [Metered::Instances, Metered::Memory]
            .into_iter()
            .all(|quota| ledger.is_below_half(quota))
    }
}

/// A slot of the pool, and one of the instances that the tenant may have.
pub type Taken = (Slot, quota::Held);

/// Lines of the log about what a guest was denied, a minute.
const DENIALS: u32 = 60;

/// A store's data.
pub struct Ctx {
    pub table: ResourceTable,
    pub identity: Arc<Identity>,
    /// The caller, set anew for each call into the instance.
    pub caller: Call,
    pub cpu: Cpu,
    pub fields: Held,
    /// The journal of the instance whose code this is, if it is a workflow's.
    journal: Option<Context>,
    limiter: Limiter,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    /// A slot of the pool, and one of the tenant's instances; given back when the store is dropped.
    _taken: Taken,
}

/// Access to the CPU time for the hooks of a store.
pub trait HasCpu {
    fn cpu(&mut self) -> &mut Cpu;

    /// Tells that a call of the host has returned, so what it held is gone, and what it costs code that is bounded by
    /// fuel.
    fn bill(&mut self) -> Option<Bill>;

    /// Returns the CPU time that threads of the host used for the call since this was last asked.
    fn worked(&self) -> Duration;

    /// A call has held a worker for that long.
    fn held(&self, time: Duration);
}

impl HasCpu for Ctx {
    fn cpu(&mut self) -> &mut Cpu {
        &mut self.cpu
    }

    fn bill(&mut self) -> Option<Bill> {
        self.caller.settle();
        let Price { cost, is_step } = self.journal.as_ref()?.settle();
        if is_step {
            self.cpu.reset();
        }
        let fuel = self.identity.limits.step_fuel;
        let fresh = is_step.then_some(fuel.into());
        Some(Bill { fresh, cost })
    }

    fn worked(&self) -> Duration {
        self.caller.worked()
    }

    fn held(&self, time: Duration) {
        let app = &self.identity.id;
        if self.identity.meters.held() {
            tracing::warn!(%app, "a call to the host held one of its threads for {} ms, or the machine is busy", time.as_millis());
        }
    }
}

impl Ctx {
    /// A store with every limit set, for a first call by `caller`, which draws from the account of `identity`.
    pub fn store(
        engine: &Engine,
        identity: Arc<Identity>,
        caller: Call,
        cpu: Cpu,
        hooks: Hooks,
        taken: Taken,
    ) -> Store<Ctx> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(identity.handles());
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(HEADERS);
        let ctx = Ctx {
            table,
            limiter: Limiter::new(&identity),
            wasi: wasi(&identity),
            http,
            hooks,
            journal: None,
            fields: Held::default(),
            caller,
            cpu,
            identity: identity.clone(),
            _taken: taken,
        };
        let mut store = Store::new(engine, ctx);
        store.limiter(|ctx| &mut ctx.limiter);
        limits::apply(&mut store, &identity.limits);
        crate::cpu::meter(&mut store);
        store
    }

    /// A handle of the guest's, which has as many as its limits allow.
    pub fn handle<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>> {
        let handle = self.table.push(value);
        handle.map_err(|_| Error::exhausted("too many open handles; see `limits.handles`"))
    }

    /// The error of an instance that did not come to be, or whose code can be run again as if it had not been: one that
    /// its tenant's quota refused memory is `exhausted`.
    pub fn error_of_start(&self, error: wasmtime::Error) -> Error {
        self.count(&error);
        match self.limiter.refused() {
            Some(refused) => refused.duplicate().with_source(format!("{error:#}")),
            None => self.described(self.identity.id.as_str(), error),
        }
    }

    /// The error of a call into this instance. One that its tenant's quota refused memory fails for that, whatever it made
    /// of it; it is no `exhausted`, for the call has begun.
    pub fn error_of_call(&self, error: wasmtime::Error) -> Error {
        self.error_of(self.identity.id.as_str(), error)
    }

    /// Does what [`Ctx::error_of_call`] does, by another name of the guest.
    pub fn error_of(&self, app: &str, error: wasmtime::Error) -> Error {
        self.count(&error);
        match self.limiter.refused() {
            Some(refused) => Error::internal(format!(
                "`{app}` failed after it was refused memory: {refused}"
            ))
            .with_source(format!("{error:#}")),
            None => self.described(app, error),
        }
    }

    /// Counts a trap by its cause: code that was refused memory gives up soon after.
    fn count(&self, error: &wasmtime::Error) {
        let is_short = self.limiter.refused().is_some() || self.limiter.is_over();
        if let Some(cause) = error::cause(error) {
            let gave_up = matches!(cause, Cause::Unreachable | Cause::Other);
            let cause = if is_short && gave_up {
                Cause::Memory
            } else {
                cause
            };
            self.identity.meters.trapped(cause);
        }
    }

    /// The error of a trap; of code that was refused memory before, with the limit.
    fn described(&self, app: &str, error: wasmtime::Error) -> Error {
        let gave_up = matches!(
            error::cause(&error),
            Some(Cause::Unreachable | Cause::Other)
        );
        let described = error::of_call(app, error);
        if !gave_up || !self.limiter.is_over() {
            return described;
        }
        let limit = ByteSize(self.identity.limits.memory);
        described.map_message(|message| {
            format!(
                "{message}; it was refused memory before: it may have {limit}, see `limits.memory`"
            )
        })
    }

    /// The code is a workflow's: what it does and is told goes through its journal.
    pub fn follow(&mut self, journal: Context, wasi: WasiCtx) {
        self.journal = Some(journal);
        self.wasi = wasi;
    }

    pub fn journal(&self) -> Result<&Context> {
        let journal = self.journal.as_ref();
        journal.ok_or_else(|| Error::internal("code that is no workflow's has no journal"))
    }

    /// Puts the bytes of a record on a workflow's bill.
    pub fn spend(&self, bytes: usize) {
        if let Some(journal) = &self.journal {
            journal.spend(bytes);
        }
    }

    /// Returns whether the guest has said already, on an earlier run, what it says now.
    pub fn is_replaying(&self) -> bool {
        self.journal.as_ref().is_some_and(Context::is_replaying)
    }

    /// Says where the guest may hand on the request that it has; of no guest but a handler that is there.
    pub fn hand_on(&mut self, onward: Option<Onward>) {
        self.hooks.onward = onward;
    }

    /// Begins another call into the same instance.
    pub fn begin(&mut self, caller: Call) {
        let caller = caller.with_account(&self.identity.account);
        self.limiter.begin();
        self.hooks.caller = caller.clone();
        self.caller = caller;
        self.cpu.reset();
    }
}

/// A WASI context without files and arguments, and without network but for the servers that a plugin may have; it has the environment of the manifest, and the log for stdout
/// and stderr.
fn wasi(identity: &Identity) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(Output::new(identity.log.clone(), Level::INFO))
        .stderr(Output::new(identity.log.clone(), Level::WARN))
        .max_random_size(RANDOM)
        .allow_ip_name_lookup(false)
        .allow_tcp(false)
        .allow_udp(false)
        .envs(&identity.env);
    if let Some(servers) = &identity.servers {
        servers.open(&mut builder);
    }
    builder.build()
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for Ctx {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}
