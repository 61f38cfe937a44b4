//! An app that is a guest: loaded from a file, checked against its grants, swapped without dropping a call.

use crate::{
    component_file::ComponentFile, ctx::Identity, engine::Runtime, export, version::Version,
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use wythe_blocks::{
    Admission, App, Body, Call, Callee, Error, Exports, Profile, Result, Tenant, Usage, actors,
    bindings::Input,
    configuration,
    invocation::{Request, Response},
    jobs::Occurrence,
    pubsub::{Delivery, Subscription, Verdict},
    workflow::{ActivityCall, Context, Failure},
};
use wythe_manifest::{Reuse, SigningKeys};

/// One app and the version of it that serves now.
pub struct Guest {
    runtime: Arc<Runtime>,
    identity: Arc<Identity>,
    reuse: Reuse,
    /// The directory of the project; no link below it may lead out.
    project: PathBuf,
    /// The keys of which one must have signed each file of it.
    signing_keys: Option<Arc<SigningKeys>>,
    version: ArcSwap<Version>,
}

/// A guest, and the app through which it is called.
#[derive(Clone)]
pub struct Loaded {
    pub app: Arc<App>,
    pub guest: Arc<Guest>,
}

impl Guest {
    /// Loads an app's component; every refused import is in the answer.
    pub async fn load(
        runtime: &Arc<Runtime>,
        tenant: &Arc<Tenant>,
        app: &wythe_manifest::App,
    ) -> Result<Loaded, Vec<Error>> {
        let profile = Profile {
            grants: Arc::new(app.grants.clone()),
            limits: app.limits.clone(),
            ledger: tenant.ledger.clone(),
            health: app.health.clone(),
            ..Profile::new(tenant.name().clone(), app.id.clone())
        };
        let identity = Arc::new(Identity::new(
            runtime,
            tenant,
            app.id.clone(),
            profile.grants.clone(),
            &app.limits,
            app.env.clone().into_iter().collect(),
            &profile.meters,
        ));
        let place = (app.project.as_path(), app.guest.as_path());
        let file = ComponentFile::of_app(tenant, place, app.signing_keys.clone());
        let version = Version::load(runtime, &identity, &app.reuse, file).await?;
        let guest = Arc::new(Guest {
            runtime: runtime.clone(),
            reuse: app.reuse.clone(),
            project: app.project.clone(),
            signing_keys: app.signing_keys.clone(),
            version: ArcSwap::from_pointee(version),
            identity,
        });
        let app = App::new(profile, guest.clone());
        Ok(Loaded { app, guest })
    }

    /// Puts the file at `path` in place of the version that serves now. On an error the old one goes on. True if
    /// the file was another one.
    pub async fn swap(&self, path: &Path) -> Result<bool, Vec<Error>> {
        let (tenant, keys) = (&self.identity.tenant, self.signing_keys.clone());
        let file = ComponentFile::of_app(tenant, (&self.project, path), keys);
        let version = Version::load(&self.runtime, &self.identity, &self.reuse, file).await?;
        let changed = version.digest != self.version.load().digest;
        if changed {
            self.version.store(Arc::new(version));
        }
        Ok(changed)
    }
}

#[async_trait]
impl Callee for Guest {
    fn exports(&self) -> Exports {
        self.version.load().exports
    }

    async fn http(
        &self,
        call: Call,
        admission: Admission,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let version = self.version.load_full();
        match &version.http {
            Some(server) => server.handle(call, request, admission).await,
            None => Err(self.lacks("wasi:http/incoming-handler")),
        }
    }

    async fn invoke(&self, call: Call, request: Request) -> Result<Response> {
        let version = self.version.load_full();
        match &version.invocable {
            Some(indices) => {
                export::invocation::handle(indices, &version.pool, call, request).await
            }
            None => Err(self.lacks("wythe:blocks/invocation-handler")),
        }
    }

    async fn subscriptions(&self, call: Call) -> Result<Vec<Subscription>> {
        let version = self.version.load_full();
        match &version.subscriber {
            Some(indices) => export::subscriber::subscriptions(indices, &version.pool, call).await,
            None => Ok(Vec::new()),
        }
    }

    async fn on_event(&self, call: Call, delivery: Delivery) -> Result<Verdict> {
        let version = self.version.load_full();
        match &version.subscriber {
            Some(indices) => {
                export::subscriber::on_event(indices, &version.pool, call, delivery).await
            }
            None => Err(self.lacks("wythe:blocks/subscriber")),
        }
    }

    async fn configurations(&self, call: Call) -> Result<Vec<configuration::Subscription>> {
        let version = self.version.load_full();
        match &version.configured {
            Some(indices) => {
                export::configuration::subscriptions(indices, &version.pool, call).await
            }
            None => Ok(Vec::new()),
        }
    }

    async fn on_change(&self, call: Call, change: configuration::Change) -> Result<()> {
        let version = self.version.load_full();
        match &version.configured {
            Some(indices) => {
                export::configuration::on_change(indices, &version.pool, call, change).await
            }
            None => Err(self.lacks("wythe:blocks/configuration-listener")),
        }
    }

    async fn inputs(&self, call: Call) -> Result<Vec<String>> {
        let version = self.version.load_full();
        match &version.listens {
            Some(indices) => export::bindings::components(indices, &version.pool, call).await,
            None => Ok(Vec::new()),
        }
    }

    async fn on_input(&self, call: Call, input: Input) -> Result<Bytes> {
        let version = self.version.load_full();
        match &version.listens {
            Some(indices) => export::bindings::on_input(indices, &version.pool, call, input).await,
            None => Err(self.lacks("wythe:blocks/binding-listener")),
        }
    }

    async fn run_job(&self, call: Call, occurrence: Occurrence) -> Result<()> {
        let version = self.version.load_full();
        match &version.jobs {
            Some(indices) => export::jobs::run(indices, &version.pool, call, occurrence).await,
            None => Err(self.lacks("wythe:blocks/job-runner")),
        }
    }

    async fn actor_types(&self, call: Call) -> Result<Vec<actors::Type>> {
        let version = self.version.load_full();
        match &version.actors {
            Some(acts) => acts.types(&version.pool, call).await,
            None => Ok(Vec::new()),
        }
    }

    async fn actor_turn(&self, call: Call, trigger: actors::Trigger) -> Result<Bytes> {
        let version = self.version.load_full();
        match &version.actors {
            Some(acts) => acts.turn(&version.pool, call, trigger).await,
            None => Err(self.lacks("wythe:blocks/actor-handler")),
        }
    }

    fn sweep(&self) {
        // New terms reach instances that are warm, too.
        self.identity.weigh();
        self.version.load().pool.sweep();
    }

    fn usage(&self) -> Usage {
        Usage {
            instances: self.runtime.instances_of(self.identity.holder),
            host_memory: self.identity.account.used(),
        }
    }

    fn digest(&self) -> String {
        self.version.load().digest.clone()
    }

    async fn workflows(&self, _: Call) -> Result<Vec<String>> {
        match &self.version.load_full().flow {
            Some(flow) => flow.names().await,
            None => Ok(Vec::new()),
        }
    }

    async fn run_workflow(
        &self,
        call: Call,
        context: Context,
        name: String,
        input: Bytes,
    ) -> Result<Result<Bytes, String>> {
        match &self.version.load_full().flow {
            Some(flow) => flow.run(call.trace(), context, &name, &input).await,
            None => Err(self.lacks("wythe:blocks/workflow-handler")),
        }
    }

    async fn activities(&self, call: Call) -> Result<Vec<String>> {
        let version = self.version.load_full();
        match &version.activities {
            Some(indices) => export::workflow::activities(indices, &version.pool, call).await,
            None => Ok(Vec::new()),
        }
    }

    async fn run_activity(
        &self,
        call: Call,
        activity: ActivityCall,
    ) -> Result<Result<Bytes, Failure>> {
        let version = self.version.load_full();
        match &version.activities {
            Some(indices) => export::workflow::run(indices, &version.pool, call, activity).await,
            None => Err(self.lacks("wythe:blocks/activity-handler")),
        }
    }

    fn forget_actor(&self, actor: &actors::Actor) {
        if let Some(acts) = &self.version.load().actors {
            acts.forget(actor);
        }
    }
}

impl Guest {
    fn lacks(&self, interface: &str) -> Error {
        let app = &self.identity.id;
        Error::unsupported(format!("app `{app}` does not export {interface}"))
    }
}
