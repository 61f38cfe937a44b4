//! An app that is a guest: loaded from a file, checked against its grants, swapped without dropping a call.

use crate::{
    ctx::{DENIALS, Identity},
    egress,
    engine::Runtime,
    export,
    log::Log,
    slots::Holder,
    version::Version,
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wythe_blocks::{
    Account, App, Body, Caller, Error, Exports, Host, Rate, Result, Trace, actors,
    bindings::Input,
    configuration,
    invocation::{Request, Response},
    jobs::Occurrence,
    pubsub::{Delivery, Subscription, Verdict},
    time,
    workflow::{Call, Context, Failure},
};
use wythe_manifest::{Name, Reuse};

/// When a caller may ask an app again that is busy.
const BUSY: Duration = Duration::from_secs(1);

/// One app and the version of it that serves now.
pub struct Guest {
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    reuse: Reuse,
    /// The directory of the project; no link below it may lead out.
    project: PathBuf,
    places: Arc<Semaphore>,
    version: ArcSwap<Version>,
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
            holder: Holder::new(),
            grants: Arc::new(app.grants.clone()),
            limits: app.limits.clone(),
            env: app.env.clone().into_iter().collect(),
            log: Arc::new(Log::new(app.id.clone(), app.limits.log_bytes_per_second)),
            outgoing: egress::under_way(app.limits.outgoing_requests),
            denied: Rate::per_minute(DENIALS),
            account: Account::new(app.id.clone(), app.limits.host_memory),
            host: host.clone(),
        });
        let path = (app.project.as_path(), app.guest.as_path());
        let version = Version::load(runtime, &identity, &app.reuse, path).await?;
        Ok(Arc::new(Guest {
            runtime: runtime.clone(),
            places: Arc::new(Semaphore::new(app.limits.concurrency as usize)),
            reuse: app.reuse.clone(),
            project: app.project.clone(),
            version: ArcSwap::from_pointee(version),
            identity,
        }))
    }

    /// Puts the file at `path` in place of the version that serves now. On an error the old one goes on. True if
    /// the file was another one.
    pub async fn swap(&self, path: &Path) -> Result<bool, Vec<Error>> {
        let path = (self.project.as_path(), path);
        let version = Version::load(&self.runtime, &self.identity, &self.reuse, path).await?;
        let changed = version.digest != self.version.load().digest;
        if changed {
            self.version.store(Arc::new(version));
        }
        Ok(changed)
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

    /// Time for which an answer may wait for its reader.
    pub fn stall_time(&self) -> Duration {
        self.identity.limits.stall_time
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
                time::deadline(limit),
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
            ))
            .with_retry_after(BUSY)),
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

    async fn actor_types(&self) -> Result<Vec<actors::Type>> {
        let version = self.version.load_full();
        let Some(acts) = &version.actors else {
            return Ok(Vec::new());
        };
        let caller = self.caller(None, Trace::start())?;
        acts.types(&version.pool, caller).await
    }

    async fn actor_turn(
        &self,
        from: Option<&Caller>,
        inside: actors::Inside,
        trigger: actors::Trigger,
    ) -> Result<Bytes> {
        let trace = from.map_or_else(Trace::start, Caller::trace);
        let caller = self.caller(from, trace)?.within(inside);
        // A turn that others wait for, in a chain with calls of this app, must not wait until they are over.
        let is_nested = from.is_some_and(|from| from.is_in_chain(&self.identity.id));
        let _place = match is_nested {
            true => self.places.clone().try_acquire_owned().ok(),
            false => Some(self.place(&caller).await?),
        };
        let version = self.version.load_full();
        match &version.actors {
            Some(acts) => acts.turn(&version.pool, caller, trigger).await,
            None => Err(not_exported(
                &self.identity.id,
                "wythe:blocks/actor-handler",
            )),
        }
    }

    fn instances(&self) -> usize {
        self.identity.limits.instances as usize
    }

    fn digest(&self) -> String {
        self.version.load().digest.clone()
    }

    async fn workflows(&self) -> Result<Vec<String>> {
        match &self.version.load_full().flow {
            Some(flow) => flow.names().await,
            None => Ok(Vec::new()),
        }
    }

    async fn run_workflow(
        &self,
        context: Context,
        name: String,
        input: Bytes,
    ) -> Result<Result<Bytes, String>> {
        match &self.version.load_full().flow {
            Some(flow) => flow.run(context, &name, &input).await,
            None => Err(not_exported(
                &self.identity.id,
                "wythe:blocks/workflow-handler",
            )),
        }
    }

    async fn activities(&self) -> Result<Vec<String>> {
        let version = self.version.load_full();
        let Some(indices) = &version.activities else {
            return Ok(Vec::new());
        };
        let caller = self.caller(None, Trace::start())?;
        export::workflow::activities(indices, &version.pool, caller).await
    }

    async fn run_activity(&self, call: Call) -> Result<Result<Bytes, Failure>> {
        let (caller, _place, version) = self.enter().await?;
        let Some(indices) = &version.activities else {
            return Err(not_exported(
                &self.identity.id,
                "wythe:blocks/activity-handler",
            ));
        };
        export::workflow::run(indices, &version.pool, caller, call).await
    }

    fn forget_actor(&self, actor: &actors::Actor) {
        if let Some(acts) = &self.version.load().actors {
            acts.forget(actor);
        }
    }
}

fn not_exported(app: &Name, interface: &str) -> Error {
    Error::unsupported(format!("app `{app}` does not export {interface}"))
}

/// Idle instances are swept from time to time, for as long as the guest is loaded.
impl Guest {
    pub fn sweep(&self) {
        self.version.load().pool.sweep();
    }
}
