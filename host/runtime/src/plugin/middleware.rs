//! A handler of requests that is a guest: it is asked as an app is, and its import for requests is the way on.

use super::{
    checks,
    file::Opened,
    settings::{self, Settings},
};
use crate::{
    compile::Compiled,
    cpu::timed,
    ctx::{Ctx, Identity},
    egress::Onward,
    engine::{Runtime, internal},
    export::http::Server,
    inspect::Inspection,
    version,
};
use async_trait::async_trait;
use http::{Request, Response};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::InstancePre;
use wythe_blocks::{
    Admission, Body, Call, Error, Ready, Registry, Result, Site, Tenant, Trace,
    middleware::{Driver, Next, Visit},
    time,
};
use wythe_manifest::{Component, Metered, Reuse};

/// The first bytes of a core module, which a guest of Dapr's is; those of a component differ in the last four.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// Time after which a busy handler may be asked again.
const BUSY: Duration = Duration::from_secs(1);

/// Makes `middleware.http.wasm` open component files.
pub fn register(registry: &mut Registry, runtime: &Arc<Runtime>, tenant: &Arc<Tenant>) {
    let (runtime, tenant) = (runtime.clone(), tenant.clone());
    let middleware = &mut registry.middleware;
    middleware.add_raw("http.wasm", move |mut component, site| {
        let (runtime, tenant) = (runtime.clone(), tenant.clone());
        async move {
            let settings = Settings::take_of_handler(&mut component);
            let placed = |error| vec![placed(&component, error)];
            let settings = settings.map_err(placed)?;
            let loaded = Handler::load(&runtime, &tenant, &component, site, settings).await;
            let handler = loaded.map_err(placed)?;
            let open = move || async move {
                handler.start().await?;
                Ok::<Arc<dyn Driver>, _>(Arc::new(handler))
            };
            Ok::<_, Vec<Error>>(Ready::new(open))
        }
    });
}

/// The error with the component's name, at its file, unless it is at a setting already.
fn placed(component: &Component, error: Error) -> Error {
    if error.position().is_some() {
        return error;
    }
    let is_by_url = component.position_of("path") == component.source;
    let key = if is_by_url { "url" } else { "path" };
    settings::at_file(component, key, error)
}

/// One component of the type. Each request has an instance of its own, of which nothing is left after it.
struct Handler {
    name: String,
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    server: Server,
    pre: InstancePre<Ctx>,
    /// Requests that it has at once.
    places: Arc<Semaphore>,
    instances: usize,
    call: Duration,
    _compiled: Arc<Compiled>,
}

impl Handler {
    /// Loads the file and checks it; nothing of it runs.
    async fn load(
        runtime: &Arc<Runtime>,
        tenant: &Arc<Tenant>,
        component: &Component,
        site: Site,
        settings: Settings,
    ) -> Result<Self> {
        settings.check_hosts(tenant)?;
        let env = environment(component)?;
        let opened = Opened::read(runtime, &site, &settings, check_kind).await?;
        check_offer(&opened.shown, &opened.inspection)?;
        checks::check_imports(&opened.inspection.imports, &settings, &site)?;
        let misfit = format!("`{}` does not fit this host's interfaces", opened.shown);
        let misfit = |error| internal(&misfit, error);
        let compiled = opened.compile(runtime).await?;
        let pre = runtime.linker.instantiate_pre(&compiled.component);
        let pre = pre.map_err(misfit)?;
        let proxy = version::proxy(pre.clone()).map_err(misfit)?;
        let identity = Arc::new(settings.identity(runtime, tenant, &site, env));
        let reuse = Reuse::default();
        Ok(Handler {
            server: Server::new(runtime.clone(), identity.clone(), proxy, reuse),
            name: site.component,
            runtime: runtime.clone(),
            places: Arc::new(Semaphore::new(settings.instances)),
            instances: settings.instances,
            call: settings.call,
            identity,
            pre,
            _compiled: compiled,
        })
    }

    /// Makes an instance once, so that a handler that cannot start is a problem of the boot.
    async fn start(&self) -> Result<()> {
        let deadline = time::deadline(self.call);
        let call = self.call(Trace::start(), deadline);
        let mut store = self.runtime.store(&self.identity, call).await?;
        let clock = store.data().cpu.clock();
        let start = timed(clock, self.pre.instantiate_async(&mut store));
        let started = tokio::time::timeout_at(deadline.into(), start).await;
        match started {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(store.data().error_of_start(error)),
            Err(_) => Err(Error::timeout(format!(
                "`{}` did not start within {:?}",
                self.name, self.call
            ))),
        }
    }

    /// The handler's call, for whatever it does because of a request.
    fn call(&self, trace: Trace, deadline: Instant) -> Call {
        Call::app(
            self.identity.tenant.name().clone(),
            self.identity.id.clone(),
            self.identity.grants.clone(),
            trace,
            deadline,
        )
    }

    /// A place among the requests that it has at once; who waits for one is counted in the quotas of its tenant.
    async fn place(&self, call: &Call) -> Result<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let ledger = &self.identity.tenant.ledger;
        let _waiting = ledger.hold(Metered::WaitingCalls, 1)?;
        let place = self.places.clone().acquire_owned();
        let place = tokio::time::timeout_at(call.deadline().into(), place).await;
        let busy = || {
            let (name, instances) = (&self.name, self.instances);
            let busy = format!("`{name}` is busy with {instances} requests; see its `instances`");
            Error::exhausted(busy).with_retry_after(BUSY)
        };
        place.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

#[async_trait]
impl Driver for Handler {
    async fn handle(
        &self,
        visit: &Arc<Visit>,
        request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        let latest = time::deadline(self.call);
        let until = visit.until.map_or(latest, |until| until.min(latest));
        let call = self.call(visit.call.trace().child(), until);
        let place = Admission::apart(self.place(&call).await?);
        let onward = Onward::new(next, &request);
        self.server.pass(call, request, place, Some(onward)).await
    }
}

/// The settings of the guest: variables of its environment, as they are named in the metadata.
fn environment(component: &Component) -> Result<Vec<(String, String)>> {
    let items = component.metadata.iter();
    let variable = |(name, value): (&str, &str)| {
        let is_good = |text: &str| !text.contains('\0');
        match is_good(name) && is_good(value) && !name.contains('=') {
            true => Ok((name.to_owned(), value.to_owned())),
            false => Err(Error::invalid(format!(
                "the setting `{}` cannot be a variable of the handler's environment; expected a name without `=`, and no NUL",
                name.escape_debug()
            ))),
        }
    };
    items
        .map(|item| variable((&item.name, item.value.reveal())))
        .collect()
}

/// Checks that it is no module of Dapr's kind, before it is read as a component.
fn check_kind(shown: &str, bytes: &[u8]) -> Result<()> {
    match bytes.starts_with(CORE_MODULE) {
        false => Ok(()),
        true => Err(Error::unsupported(format!(
            "`{shown}` is a core module, such as Dapr runs by the ABI of http-wasm; expected a component that exports \
             wasi:http/incoming-handler@0.2 or wasi:http/handler@0.3, and asks http://{} for the rest: see \
             `middleware.http.wasm` in host/drivers/README.md",
            crate::egress::NEXT
        ))),
    }
}

/// Checks that it answers requests, in one version of WASI.
fn check_offer(shown: &str, inspection: &Inspection) -> Result<()> {
    let has = |prefix: &str| inspection.exports.iter().any(|one| one.starts_with(prefix));
    let (newer, older) = (
        has("wasi:http/handler@0.3."),
        has("wasi:http/incoming-handler@0.2."),
    );
    if !inspection.app.http || inspection.app.workflow_handler {
        return Err(Error::invalid(format!(
            "`{shown}` is no handler of requests: it exports neither wasi:http/incoming-handler@0.2 nor \
             wasi:http/handler@0.3"
        )));
    }
    match newer && older {
        false => Ok(()),
        true => Err(Error::invalid(format!(
            "`{shown}` exports HTTP handlers of WASI 0.2 and of 0.3; expected one of them"
        ))),
    }
}
