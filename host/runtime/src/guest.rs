//! An app that is a guest: loaded from a file, checked against its grants, swapped without dropping a call.

use crate::{
    bindings::{
        configured::ConfiguredIndices, invocable::InvocableIndices, listens::ListensIndices,
        runs_jobs::RunsJobsIndices, subscribes::SubscribesIndices,
    },
    ctx::{Ctx, Identity},
    engine::{Compiled, Runtime, internal},
    export::{self, http::Server},
    grants,
    inspect::{self, DRIVERS, Inspection},
    instance::Pool,
    log::Log,
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use std::{path::Path, sync::Arc, time::Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::{handler::ProxyPre, p2, p3};
use wythe_blocks::{
    App, Body, Caller, Error, Exports, Host, Result, Trace,
    bindings::Input,
    configuration,
    invocation::{Request, Response},
    jobs::Occurrence,
    pubsub::{Delivery, Subscription, Verdict},
};
use wythe_manifest::{Name, Reuse};

/// Bytes of a component file.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// One app and the version of it that serves now.
pub struct Guest {
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    reuse: Reuse,
    places: Arc<Semaphore>,
    version: ArcSwap<Version>,
}

/// One file of an app. Calls hold on to the version that they began with.
struct Version {
    digest: String,
    exports: Exports,
    http: Option<Server>,
    pool: Pool,
    invocable: Option<InvocableIndices>,
    subscriber: Option<SubscribesIndices>,
    configured: Option<ConfiguredIndices>,
    listens: Option<ListensIndices>,
    jobs: Option<RunsJobsIndices>,
    /// Kept, so that an equal file is not compiled again.
    _compiled: Arc<Compiled>,
}

impl Guest {
    /// Loads an app's component; every refused import is in the answer.
    pub async fn load(
        runtime: &Arc<Runtime>,
        host: &Arc<Host>,
        tenant: &Name,
        app: &wythe_manifest::App,
    ) -> Result<Arc<Self>, Vec<Error>> {
        let identity = Arc::new(Identity {
            tenant: tenant.clone(),
            id: app.id.clone(),
            grants: Arc::new(app.grants.clone()),
            limits: app.limits.clone(),
            env: app.env.clone().into_iter().collect(),
            log: Arc::new(Log::new(app.id.clone(), app.limits.log_bytes_per_second)),
            host: host.clone(),
        });
        let path = &app.guest;
        let version = Version::load(runtime, &identity, &app.reuse, path).await?;
        Ok(Arc::new(Guest {
            runtime: runtime.clone(),
            places: Arc::new(Semaphore::new(app.limits.concurrency as usize)),
            reuse: app.reuse.clone(),
            version: ArcSwap::from_pointee(version),
            identity,
        }))
    }

    /// Puts the file at `path` in place of the version that serves now. On an error the old one goes on. True if
    /// the file was another one.
    pub async fn swap(&self, path: &Path) -> Result<bool, Vec<Error>> {
        let version = Version::load(&self.runtime, &self.identity, &self.reuse, path).await?;
        let changed = version.digest != self.version.load().digest;
        if changed {
            self.version.store(Arc::new(version));
        }
        Ok(changed)
    }

    /// Of the file that serves now, in hex.
    pub fn digest(&self) -> String {
        self.version.load().digest.clone()
    }

    pub fn tenant(&self) -> &Name {
        &self.identity.tenant
    }

    pub fn grants(&self) -> &Arc<wythe_manifest::Grants> {
        &self.identity.grants
    }

    /// Bytes of a request's body from outside.
    pub fn request_body(&self) -> u64 {
        self.identity.limits.request_body
    }

    /// The guest's identity for a call that begins now.
    fn caller(&self, from: Option<&Caller>, trace: Trace) -> Result<Caller> {
        let id = self.identity.id.clone();
        let (grants, limit) = (self.identity.grants.clone(), self.identity.limits.wall_time);
        match from {
            Some(from) => from.enter(id, grants, limit),
            None => Ok(Caller::app(
                self.identity.tenant.clone(),
                id,
                grants,
                trace,
                Instant::now() + limit,
            )),
        }
    }

    /// For a call that the host itself begins: who calls, the call's place, and the version that answers it.
    async fn enter(&self) -> Result<(Caller, OwnedSemaphorePermit, Arc<Version>)> {
        let caller = self.caller(None, Trace::start())?;
        let place = self.place(&caller).await?;
        Ok((caller, place, self.version.load_full()))
    }

    /// One of the app's calls at once; a caller waits for it no longer than it would wait for the answer.
    async fn place(&self, caller: &Caller) -> Result<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let place = tokio::time::timeout_at(
            caller.deadline().into(),
            self.places.clone().acquire_owned(),
        );
        match place.await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Error::exhausted(format!(
                "app `{}` is busy with {} calls; see `limits.concurrency`",
                self.identity.id, self.identity.limits.concurrency
            ))),
        }
    }
}

#[async_trait]
impl App for Guest {
    fn id(&self) -> &Name {
        &self.identity.id
    }

    fn exports(&self) -> Exports {
        self.version.load().exports
    }

    async fn http(
        &self,
        from: Option<&Caller>,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let trace = request
            .headers()
            .get("traceparent")
            .and_then(|header| header.to_str().ok());
        let trace = trace.and_then(Trace::parse).unwrap_or_else(Trace::start);
        let caller = self.caller(from, trace)?;
        let place = self.place(&caller).await?;
        let version = self.version.load_full();
        match &version.http {
            Some(server) => server.handle(caller, request, place).await,
            None => Err(not_exported(
                &self.identity.id,
                "wasi:http/incoming-handler",
            )),
        }
    }

    async fn invoke(&self, from: &Caller, request: Request) -> Result<Response> {
        let inside = self.caller(Some(from), from.trace())?;
        let _place = self.place(&inside).await?;
        let version = self.version.load_full();
        match &version.invocable {
            Some(indices) => {
                export::invocation::handle(indices, &version.pool, inside, from, request).await
            }
            None => Err(not_exported(
                &self.identity.id,
                "wythe:blocks/invocation-handler",
            )),
        }
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>> {
        let version = self.version.load_full();
        let Some(indices) = &version.subscriber else {
            return Ok(Vec::new());
        };
        let caller = self.caller(None, Trace::start())?;
        export::subscriber::subscriptions(indices, &version.pool, caller).await
    }

    async fn on_event(&self, delivery: Delivery) -> Result<Verdict> {
        let caller = self.caller(None, delivery.caller.trace())?;
        let _place = self.place(&caller).await?;
        let version = self.version.load_full();
        match &version.subscriber {
            Some(indices) => {
                export::subscriber::on_event(indices, &version.pool, caller, delivery).await
            }
            None => Err(not_exported(&self.identity.id, "wythe:blocks/subscriber")),
        }
    }

    async fn configurations(&self) -> Result<Vec<configuration::Subscription>> {
        let version = self.version.load_full();
        let Some(indices) = &version.configured else {
            return Ok(Vec::new());
        };
        let caller = self.caller(None, Trace::start())?;
        export::configuration::subscriptions(indices, &version.pool, caller).await
    }

    async fn on_change(&self, change: configuration::Change) -> Result<()> {
        let (caller, _place, version) = self.enter().await?;
        let Some(indices) = &version.configured else {
            return Err(not_exported(
                &self.identity.id,
                "wythe:blocks/configuration-listener",
            ));
        };
        export::configuration::on_change(indices, &version.pool, caller, change).await
    }

    async fn inputs(&self) -> Result<Vec<String>> {
        let version = self.version.load_full();
        let Some(indices) = &version.listens else {
            return Ok(Vec::new());
        };
        let caller = self.caller(None, Trace::start())?;
        export::bindings::components(indices, &version.pool, caller).await
    }

    async fn on_input(&self, input: Input) -> Result<Bytes> {
        let (caller, _place, version) = self.enter().await?;
        let Some(indices) = &version.listens else {
            return Err(not_exported(
                &self.identity.id,
                "wythe:blocks/binding-listener",
            ));
        };
        export::bindings::on_input(indices, &version.pool, caller, input).await
    }

    async fn run_job(&self, occurrence: Occurrence) -> Result<()> {
        let (caller, _place, version) = self.enter().await?;
        let Some(indices) = &version.jobs else {
            return Err(not_exported(&self.identity.id, "wythe:blocks/job-runner"));
        };
        export::jobs::run(indices, &version.pool, caller, occurrence).await
    }
}

fn not_exported(app: &Name, interface: &str) -> Error {
    Error::unsupported(format!("app `{app}` does not export {interface}"))
}

/// Reads a component file, within its size limit.
pub async fn read_component(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let size = tokio::fs::metadata(path).await.map_err(|error| {
        Error::not_found(format!("no component file at {shown}: {error}; build it first, or give the app a `build:` command"))
    })?;
    if size.len() > MAX_COMPONENT {
        return Err(Error::invalid(format!(
            "the component file {shown} has {} bytes; expected at most {MAX_COMPONENT}",
            size.len()
        )));
    }
    let bytes = tokio::fs::read(path).await;
    bytes.map_err(|error| {
        Error::unavailable(format!(
            "the component file {shown} cannot be read: {error}"
        ))
    })
}

impl Version {
    async fn load(
        runtime: &Arc<Runtime>,
        identity: &Arc<Identity>,
        reuse: &Reuse,
        path: &Path,
    ) -> Result<Self, Vec<Error>> {
        let one = |error| vec![error];
        let bytes = read_component(path).await.map_err(one)?;
        let compiled = runtime
            .compile(&path.display().to_string(), bytes)
            .await
            .map_err(one)?;
        let (engine, component) = (&runtime.engine, &compiled.component);
        let refused = grants::refused(identity.id.as_str(), engine, component, &identity.grants);
        if !refused.is_empty() {
            return Err(refused);
        }
        let app = &identity.id;
        let inspection = inspect::inspect(engine, component);
        check_exports(app, &inspection, reuse).map_err(one)?;
        let pre = runtime.linker.instantiate_pre(component).map_err(|error| {
            one(internal(
                &format!("app `{app}` does not fit this host's interfaces"),
                error,
            ))
        })?;
        Self::link(runtime, identity, reuse, &inspection, pre, compiled.clone()).map_err(|error| {
            one(internal(
                &format!("app `{app}` does not fit this host's interfaces"),
                error,
            ))
        })
    }

    fn link(
        runtime: &Arc<Runtime>,
        identity: &Arc<Identity>,
        reuse: &Reuse,
        inspection: &Inspection,
        pre: InstancePre<Ctx>,
        compiled: Arc<Compiled>,
    ) -> wasmtime::Result<Self> {
        let exports = inspection.app;
        let server = |proxy| Server::new(runtime.clone(), identity.clone(), proxy, reuse.clone());
        let http = when(exports.http, || proxy(pre.clone()))?.map(server);
        Ok(Version {
            digest: compiled.digest.to_hex().to_string(),
            exports,
            http,
            invocable: when(exports.invocation, || InvocableIndices::new(&pre))?,
            subscriber: when(exports.subscriber, || SubscribesIndices::new(&pre))?,
            configured: when(exports.configuration_listener, || {
                ConfiguredIndices::new(&pre)
            })?,
            listens: when(exports.binding_listener, || ListensIndices::new(&pre))?,
            jobs: when(exports.job_runner, || RunsJobsIndices::new(&pre))?,
            pool: Pool::new(runtime.clone(), identity.clone(), pre, reuse.clone()),
            _compiled: compiled,
        })
    }
}

fn when<T>(
    exported: bool,
    found: impl FnOnce() -> wasmtime::Result<T>,
) -> wasmtime::Result<Option<T>> {
    exported.then(found).transpose()
}

/// WASI 0.3 where the component has it, else 0.2.
fn proxy(pre: InstancePre<Ctx>) -> wasmtime::Result<ProxyPre<Ctx>> {
    if let Ok(service) = p3::bindings::ServicePre::new(pre.clone()) {
        return Ok(ProxyPre::P3(service));
    }
    p2::bindings::ProxyPre::new(pre).map(ProxyPre::P2)
}

fn check_exports(app: &Name, inspection: &Inspection, reuse: &Reuse) -> Result<()> {
    let has = |prefix: &str| {
        inspection
            .exports
            .iter()
            .any(|name| name.starts_with(prefix))
    };
    if inspection.app == Exports::default() {
        let plugin = DRIVERS
            .iter()
            .find(|(name, _)| inspection.plugin.contains(name));
        let hint = plugin.map_or(String::new(), |(_, kind)| {
            format!("; it is a plugin: name it in a component of type {kind}")
        });
        return Err(Error::invalid(format!(
            "app `{app}` exports none of {}{hint}",
            Exports::INTERFACES
        )));
    }
    let newer = has("wasi:http/handler@0.3.");
    if newer && has("wasi:http/incoming-handler@0.2.") {
        return Err(Error::invalid(format!(
            "app `{app}` exports HTTP handlers of WASI 0.2 and of 0.3; expected one of them"
        )));
    }
    // Calls that share an instance share its identity too, so only what uses no block may overlap.
    let blocks = inspection
        .imports
        .iter()
        .any(|import| import.name.starts_with("wythe:blocks/"));
    if reuse.max_concurrent > 1 && (!newer || blocks) {
        return Err(Error::invalid(format!(
            "app `{app}` has `reuse.maxConcurrent: {}`; expected 1, for it is no WASI 0.3 guest without blocks",
            reuse.max_concurrent
        )));
    }
    Ok(())
}

/// Idle instances are swept from time to time, for as long as the guest is loaded.
impl Guest {
    pub fn sweep(&self) {
        self.version.load().pool.sweep();
    }
}
