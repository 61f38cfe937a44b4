//! One file of an app, ready to be called: checked, linked, with all that it exports.

use crate::{
    bindings::app::exports::wythe::blocks::{
        activity_handler, binding_listener, configuration_listener, invocation_handler, job_runner,
        subscriber,
    },
    compile::Compiled,
    component_file::ComponentFile,
    ctx::{Ctx, Identity},
    engine::{Runtime, internal},
    export::{actors::Acts, http::Server},
    grants,
    inspect::Inspection,
    instance::Pool,
    workflow::Flow,
};
use std::sync::Arc;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::{handler::ProxyPre, p2, p3};
use wythe_blocks::{Error, Exports, Result, interfaces::Direction};
use wythe_manifest::Reuse;

/// One file of an app. Calls hold on to the version that they began with.
pub struct Version {
    pub digest: String,
    pub exports: Exports,
    pub http: Option<Server>,
    pub pool: Pool,
    pub invocable: Option<invocation_handler::GuestIndices>,
    pub subscriber: Option<subscriber::GuestIndices>,
    pub configured: Option<configuration_listener::GuestIndices>,
    pub listens: Option<binding_listener::GuestIndices>,
    pub actors: Option<Acts>,
    pub jobs: Option<job_runner::GuestIndices>,
    pub activities: Option<activity_handler::GuestIndices>,
    pub flow: Option<Flow>,
    /// The compiled file, kept so that an equal one is not compiled again.
    _compiled: Arc<Compiled>,
}

impl Version {
    pub async fn load(
        runtime: &Arc<Runtime>,
        identity: &Arc<Identity>,
        reuse: &Reuse,
        file: ComponentFile,
    ) -> Result<Self, Vec<Error>> {
        let one = |error| vec![error];
        let shown = file.shown();
        let allowed = file.allowed().clone();
        let bytes = file.read().await.map_err(one)?;
        let inspected = runtime.inspect_bytes(&shown, &bytes, &allowed).await;
        let inspection = inspected.map_err(one)?;
        let app = &identity.id;
        let mut refused = grants::refused(app.as_str(), &inspection.imports, &identity.grants);
        refused.extend(grants::refused_exports(app.as_str(), &inspection.exports));
        if !refused.is_empty() {
            return Err(refused);
        }
        check_exports(identity, &inspection, reuse).map_err(one)?;
        // What is refused is not compiled.
        let compiled = runtime.compile_within(&shown, bytes, &inspection, &allowed);
        let compiled = compiled.await.map_err(one)?;
        let pre = match inspection.app.workflow_handler {
            true => runtime
                .machine()
                .await
                .map_err(one)?
                .link(&compiled.component),
            false => runtime.linker.instantiate_pre(&compiled.component),
        };
        let misfit = |error| {
            one(internal(
                &format!("app `{app}` does not fit this host's interfaces"),
                error,
            ))
        };
        let pre = pre.map_err(misfit)?;
        Self::link(runtime, identity, reuse, &inspection, pre, compiled).map_err(misfit)
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
            invocable: when(exports.invocation, || {
                invocation_handler::GuestIndices::new(&pre)
            })?,
            subscriber: when(exports.subscriber, || subscriber::GuestIndices::new(&pre))?,
            actors: when(exports.actor_handler, || {
                Acts::new(&pre, runtime, identity.holder)
            })?,
            configured: when(exports.configuration_listener, || {
                configuration_listener::GuestIndices::new(&pre)
            })?,
            listens: when(exports.binding_listener, || {
                binding_listener::GuestIndices::new(&pre)
            })?,
            jobs: when(exports.job_runner, || job_runner::GuestIndices::new(&pre))?,
            activities: when(exports.activity_handler, || {
                activity_handler::GuestIndices::new(&pre)
            })?,
            flow: when(exports.workflow_handler, || {
                Flow::new(runtime.clone(), identity.clone(), pre.clone())
            })?,
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

/// The proxy for WASI 0.3 where the component has it, else for 0.2.
pub fn proxy(pre: InstancePre<Ctx>) -> wasmtime::Result<ProxyPre<Ctx>> {
    if let Ok(service) = p3::bindings::ServicePre::new(pre.clone()) {
        return Ok(ProxyPre::P3(service));
    }
    p2::bindings::ProxyPre::new(pre).map(ProxyPre::P2)
}

fn check_exports(identity: &Identity, inspection: &Inspection, reuse: &Reuse) -> Result<()> {
    let app = &identity.id;
    if inspection.app.workflow_handler {
        return check_workflows(identity, inspection.app);
    }
    let has = |prefix: &str| {
        inspection
            .exports
            .iter()
            .any(|name| name.starts_with(prefix))
    };
    if inspection.app == Exports::default() {
        let mut drivers = inspection.plugin.iter().map(|driver| driver.direction);
        let hint = match drivers.next() {
            Some(Direction::Driver(kind)) => {
                format!("; it is a plugin: name it in a component of type {kind}")
            }
            _ => String::new(),
        };
        return Err(Error::invalid(format!(
            "app `{app}` exports none of {}{hint}",
            Exports::interfaces()
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

/// Code that is run again and again over its journal must be told the same each time.
fn check_workflows(identity: &Identity, exports: Exports) -> Result<()> {
    let app = &identity.id;
    let alone = Exports {
        workflow_handler: true,
        ..Exports::default()
    };
    if exports != alone {
        return Err(Error::invalid(format!(
            "app `{app}` exports wythe:blocks/workflow-handler and others; expected a component that has workflows alone, \
             and another app for the rest"
        )));
    }
    if !identity.env.is_empty() {
        return Err(Error::invalid(format!(
            "app `{app}` has workflows and `env`, which may change before their code runs again; hand it on in the input"
        )));
    }
    Ok(())
}
