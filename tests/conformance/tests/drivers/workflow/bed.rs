//! A host with one app whose workflows and activities are functions of the test, over a store that outlives it.

use super::elsewhere::Elsewhere;
use crate::{
    list::Subject,
    open::{component, site},
};
use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use wythe_blocks::{
    App, Call, Callee, Exports, Profile, Ready, Registry, Settings, Shared, Tenant,
    state::{self, Delete, Driver, Entry, Etag, Features, Operation, Page, Put},
    workflow::{ActivityCall, Context, Engine, Failure, Instance, Start, Status},
};
use wythe_manifest::{Limits, Name};

pub type Answer = wythe_blocks::Result<Result<Bytes, String>>;
pub type Code = fn(Context, Bytes) -> BoxFuture<'static, Answer>;
pub type Activity = fn(ActivityCall) -> BoxFuture<'static, Result<Bytes, Failure>>;

/// One app: what it has, and the calls of its activities so far.
pub struct Native {
    digest: String,
    workflows: BTreeMap<&'static str, Code>,
    activities: BTreeMap<&'static str, Activity>,
    pub instances: u32,
    pub calls: Arc<Mutex<Vec<ActivityCall>>>,
}

impl Native {
    pub fn new(digest: &str, workflows: &[(&'static str, Code)]) -> Self {
        let activities: [(&'static str, Activity); 4] = [
            ("echo", |call| Box::pin(async move { Ok(call.input) })),
            ("flaky", |call| Box::pin(flaky(call))),
            ("broken", |_| {
                Box::pin(async { Err(Failure::Permanent("out of order".into())) })
            }),
            ("never", |_| Box::pin(std::future::pending())),
        ];
        Native {
            digest: digest.to_owned(),
            workflows: workflows.iter().copied().collect(),
            activities: activities.into_iter().collect(),
            instances: 100_000,
            calls: Arc::default(),
        }
    }
}

/// Fails until its input, a number, says that it is enough.
async fn flaky(call: ActivityCall) -> Result<Bytes, Failure> {
    let enough: u32 = String::from_utf8_lossy(&call.input).parse().unwrap_or(1);
    match call.attempt < enough {
        true => Err(Failure::Retryable(format!("attempt {}", call.attempt))),
        false => Ok(call.attempt.to_string().into()),
    }
}

#[async_trait]
impl Callee for Native {
    fn exports(&self) -> Exports {
        Exports {
            workflow_handler: true,
            activity_handler: true,
            ..Exports::default()
        }
    }

    fn digest(&self) -> String {
        self.digest.clone()
    }

    async fn run_workflow(&self, _: Call, context: Context, name: String, input: Bytes) -> Answer {
        self.workflows[name.as_str()](context, input).await
    }

    async fn run_activity(
        &self,
        _: Call,
        call: ActivityCall,
    ) -> wythe_blocks::Result<Result<Bytes, Failure>> {
        let activity = self.activities[call.name.as_str()];
        let calls = self.calls.clone();
        calls.lock().push(call.clone());
        Ok(activity(call).await)
    }
}

/// A store that dies with its host at a write: before or after it is done.
#[derive(Default)]
pub struct Fuse {
    pub writes: AtomicUsize,
    /// The number of the write, from 1; none where it lives.
    pub at: Option<usize>,
    pub after: bool,
    pub dead: tokio_util::sync::CancellationToken,
}

struct Frail {
    store: Arc<dyn Driver>,
    fuse: Arc<Fuse>,
}

impl Frail {
    async fn write<T>(
        &self,
        write: BoxFuture<'_, wythe_blocks::Result<T>>,
    ) -> wythe_blocks::Result<T> {
        self.alive().await;
        let is_last = self.fuse.at == Some(self.fuse.writes.fetch_add(1, SeqCst) + 1);
        // Whoever gives up waiting for it has it happen all the same.
        let _dies = is_last.then(|| self.fuse.dead.clone().drop_guard());
        let answer = match is_last && !self.fuse.after {
            true => None,
            false => Some(write.await),
        };
        match answer {
            Some(answer) if !is_last => answer,
            _ => {
                self.fuse.dead.cancel();
                std::future::pending().await
            }
        }
    }

    async fn alive(&self) {
        if self.fuse.dead.is_cancelled() {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Driver for Frail {
    fn features(&self) -> Features {
        self.store.features()
    }

    async fn get(&self, key: &wythe_blocks::Key) -> wythe_blocks::Result<Option<Entry>> {
        self.alive().await;
        self.store.get(key).await
    }

    async fn put(&self, put: Put) -> wythe_blocks::Result<Etag> {
        self.write(self.store.put(put)).await
    }

    async fn delete(&self, delete: Delete) -> wythe_blocks::Result<()> {
        self.write(self.store.delete(delete)).await
    }

    async fn transact(&self, all: Vec<Operation>) -> wythe_blocks::Result<Vec<Option<Etag>>> {
        self.write(self.store.transact(all)).await
    }

    async fn list(
        &self,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> wythe_blocks::Result<Page> {
        self.alive().await;
        self.store.list(prefix, cursor, limit).await
    }
}

pub async fn store(subject: &Subject, directory: &Path) -> Arc<dyn Driver> {
    let registry = wythe_drivers::registry();
    let component = subject.component(&[]);
    let opened = registry.state.open(&component, site(directory)).await;
    let opened = opened.expect("the store opens");
    match subject.backend {
        Some(_) => Arc::new(Elsewhere::new(opened)),
        None => opened,
    }
}

/// A host with the store as its only component.
async fn host(store: Arc<dyn Driver>, fuse: Arc<Fuse>, tenant: &Name) -> Arc<Tenant> {
    let mut registry = Registry::default();
    let frail: Arc<dyn Driver> = Arc::new(Frail { store, fuse });
    registry.state.add_raw("frail", move |_, _| {
        let frail = frail.clone();
        async move { Ok(Ready::new(|| async { Ok(frail) })) }
    });
    let settings = Settings::new(tenant.clone(), std::path::PathBuf::new());
    let components = [component("state", "frail", "")];
    let host = Tenant::new(settings, &Shared::default());
    let opened = host.open(&registry, &components).await;
    opened.expect("the host opens");
    host
}

/// A time longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A host that runs.
pub struct Bed {
    pub host: Arc<Tenant>,
    pub engine: Arc<Engine>,
    pub caller: Call,
    pub calls: Arc<Mutex<Vec<ActivityCall>>>,
}

impl Bed {
    pub async fn new(store: &Arc<dyn Driver>, app: Native) -> Self {
        Self::with(store, app, Arc::default(), |_| {}).await
    }

    pub async fn with(
        store: &Arc<dyn Driver>,
        app: Native,
        fuse: Arc<Fuse>,
        change: impl FnOnce(&mut wythe_blocks::workflow::Settings),
    ) -> Self {
        let tenant: Name = "default".parse().expect("a name");
        let host = host(store.clone(), fuse, &tenant).await;
        let mut how = wythe_blocks::workflow::Settings {
            linger: Duration::from_millis(200),
            ..Default::default()
        };
        change(&mut how);
        host.workflow.configure(&tenant, how);
        let calls = app.calls.clone();
        let workflows = app.workflows.keys().map(|name| (*name).to_owned());
        let activities = app.activities.keys().map(|name| (*name).to_owned());
        let (workflows, activities) = (workflows.collect(), activities.collect());
        let limits = Limits {
            instances: app.instances,
            ..Limits::default()
        };
        let profile = Profile {
            limits,
            ..Profile::new(tenant.clone(), "app".parse().expect("a name"))
        };
        let app = App::new(profile, Arc::new(app));
        let attached = host.workflow.attach(&app, workflows, activities);
        attached.expect("good names");
        let engine = host.workflows().expect("a store");
        host.begin().expect("a store");
        let deadline = Instant::now() + Duration::from_secs(3_600);
        let caller = Call::operator(tenant, "test".parse().expect("a name"), deadline);
        Bed {
            host,
            engine,
            caller,
            calls,
        }
    }

    pub async fn start(&self, name: &str, id: &str, input: &str) -> Result<()> {
        let start = Start {
            id: Some(id.to_owned()),
            at: None,
        };
        let input = input.to_owned().into();
        self.engine.start(&self.caller, name, input, start).await?;
        Ok(())
    }

    pub async fn get(&self, id: &str) -> Result<Instance> {
        let found = self.engine.get(&self.caller, id).await?;
        found.with_context(|| format!("no instance `{id}`"))
    }

    /// Waits until the instance is as wanted, for as long as a busy machine may take.
    pub async fn until(&self, id: &str, wanted: impl Fn(&Instance) -> bool) -> Result<Instance> {
        let start = Instant::now();
        loop {
            let instance = self.get(id).await?;
            if wanted(&instance) {
                return Ok(instance);
            }
            ensure!(start.elapsed() < PATIENCE, "{instance:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The output that it ends with; an error where it does not complete.
    pub async fn output(&self, id: &str) -> Result<String> {
        let instance = self.until(id, |i| is_over(i.status)).await?;
        ensure!(instance.status == Status::Completed, "{instance:?}");
        Ok(text(&instance.output.unwrap_or_default()))
    }

    /// The reason why it did not complete.
    pub async fn failure(&self, id: &str, status: Status) -> Result<String> {
        let instance = self.until(id, |i| is_over(i.status)).await?;
        ensure!(instance.status == status, "{instance:?}");
        Ok(instance.reason.unwrap_or_default())
    }

    pub async fn event(&self, id: &str, name: &str, data: &str) -> wythe_blocks::Result<()> {
        let data = data.to_owned().into();
        self.engine.raise(&self.caller, id, name, data).await
    }

    /// One line for each entry.
    pub async fn lines(&self, id: &str) -> Result<Vec<String>> {
        let history = self.engine.history(id, 0, usize::MAX).await?;
        ensure!(history.broken.is_none(), "{history:?}");
        let line = |entry: &wythe_blocks::workflow::Entry| {
            let (kind, detail) = (entry.kind.as_str(), entry.kind.detail());
            format!("{kind} {detail}").trim_end().to_owned()
        };
        Ok(history.entries.iter().map(line).collect())
    }

    pub async fn close(self) -> Result<()> {
        let ended = self.host.close(Duration::from_secs(10)).await;
        ensure!(ended, "a task outlives its host");
        Ok(())
    }
}

fn is_over(status: Status) -> bool {
    status.has_ended() || status == Status::Stalled
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All that a store has but the number of its format, to see whether it was touched.
pub async fn dump(store: &Arc<dyn state::Driver>, part: &str) -> Result<BTreeMap<String, Bytes>> {
    let (mut all, mut cursor) = (BTreeMap::new(), None::<String>);
    loop {
        let page = store.list("||", cursor.as_deref(), 500).await?;
        let entries = page
            .entries
            .into_iter()
            .filter(|(key, _)| key.contains(part) && !key.ends_with("||format"));
        all.extend(entries.map(|(key, entry)| (key, entry.value)));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}
