//! A tenant beside what it should be: the same operation on both, and what can be seen of it has to agree.

use super::{
    PATIENCE,
    app::{Busy, Parts, kind},
};
use bytes::Bytes;
use conformance::random::Random;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Weak, atomic::Ordering::SeqCst},
    time::{Duration, Instant},
};
use wythe_blocks::{
    App, Call, Error, Host, Kind, Origin, Registry, Result, Settings, Tenant, Trace,
    bindings::WebhookRequest,
    body_from,
    pubsub::{Event, PublishOptions},
    state::{Put, Store},
    time,
};
use wythe_manifest::{Component, Name, parse_resources};

/// Names of components, with the drivers that each may have.
const COMPONENTS: [(&str, &str, &[&str]); 6] = [
    ("store", "state", &["memory", "memory", "memory", "redb"]),
    ("events", "pubsub", &["memory"]),
    ("settings", "configuration", &["memory"]),
    ("hook", "bindings", &["webhook", "webhook", "memory"]),
    ("jobs", "jobs", &["memory"]),
    ("locks", "lock", &["memory"]),
];
const APPS: [&str; 3] = ["one", "two", "three"];

/// A tenant under test. What is known to be there is in its maps.
pub struct Model {
    tenant: Arc<Tenant>,
    registry: Arc<Registry>,
    /// The components by name, with the number of the change that each came with.
    components: BTreeMap<&'static str, u64>,
    /// The webhook has a door of that number.
    webhook: Option<u64>,
    apps: BTreeMap<&'static str, (Arc<App>, Arc<Busy>, Parts)>,
    /// A handle that was opened once, while the component that it is for was never removed.
    handle: Option<Store>,
    /// Actors were kept in the store.
    has_records: bool,
    changes: u64,
}

pub fn operator(tenant: &Name) -> Call {
    let app = "operator".parse().expect("a name");
    Call::operator(tenant.clone(), app, time::deadline(PATIENCE))
}

fn kind_of(result: Result<impl Sized, Vec<Error>>) -> Option<Kind> {
    let errors = result.err()?;
    Some(errors.first().expect("a reason").kind())
}

pub fn component(name: &str, kind: &str, metadata: &str) -> Component {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\n\
         spec: {{ type: {kind}, version: v1, metadata: [{metadata}] }}\n"
    );
    let (resources, problems) = parse_resources(&text, Path::new("c.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let mut components = resources.components.into_iter();
    components.next().expect("a component")
}

impl Model {
    pub fn open(host: &Host, name: &str, data: &Path) -> Self {
        let settings = Settings::new(name.parse().expect("a name"), data);
        let tenant = host.open(settings).expect("a new tenant");
        let again = host.open(Settings::new(tenant.name().clone(), data));
        assert_eq!(again.err().map(|error| error.kind()), Some(Kind::Conflict));
        Model {
            tenant,
            registry: Arc::new(wythe_drivers::registry()),
            components: BTreeMap::new(),
            webhook: None,
            apps: BTreeMap::new(),
            handle: None,
            has_records: false,
            changes: 0,
        }
    }

    /// Removes the tenant; the answer is empty once nothing holds it any more.
    pub async fn close(self, host: &Host) -> Vec<Weak<App>> {
        assert!(
            host.remove(self.tenant.name(), PATIENCE).await,
            "a task is left"
        );
        assert!(host.tenant(self.tenant.name()).is_none());
        let apps = self.apps.values().map(|(app, _, _)| Arc::downgrade(app));
        apps.collect()
    }

    /// Does one operation, and looks whether the tenant is as it should be.
    pub async fn step(&mut self, host: &Host, random: &mut Random) {
        match random.below(11) {
            0..=2 => self.put(random).await,
            10 => self.fail(random).await,
            3 => self.take(random).await,
            4 | 5 => self.admit(random).await,
            6 => self.remove(random).await,
            7 => self.write(random).await,
            8 => self.publish().await,
            _ => self.call_webhook(host).await,
        }
        self.look(host).await;
    }

    fn has(&self, component: &str) -> bool {
        self.components.contains_key(component)
    }

    /// Adds a component, or puts one in the place of another.
    async fn put(&mut self, random: &mut Random) {
        let (name, block, drivers) = COMPONENTS[random.below(6) as usize];
        let driver = drivers[random.below(drivers.len() as u64) as usize];
        self.changes += 1;
        let path = format!("/{}/hook-{}", self.tenant.name(), self.changes);
        let metadata = match driver {
            "webhook" => format!("{{ name: path, value: {path} }}"),
            _ => String::new(),
        };
        let component = component(name, &format!("{block}.{driver}"), &metadata);
        let replaced = self.tenant.replace(&self.registry, &component).await;
        assert_eq!(kind_of(replaced), None, "{name}");
        self.components.insert(name, self.changes);
        if name == "hook" {
            self.webhook = (driver == "webhook").then_some(self.changes);
        }
        if name == "store" && self.handle.is_none() {
            let caller = operator(self.tenant.name());
            self.handle = self.tenant.state.open(&caller, "store").ok();
        }
    }

    /// Asks for a component that cannot be: what was there before goes on.
    async fn fail(&mut self, random: &mut Random) {
        let data = &self.tenant.settings().data.clone();
        let damaged = data.join("damaged.redb");
        std::fs::write(&damaged, "no store at all").expect("a file");
        let settings = [
            "{ name: nonsense, value: 1 }".to_owned(),
            "{ name: keyPrefix, value: name }, { name: ttlInSeconds, value: x }".to_owned(),
            format!("{{ name: path, value: {} }}", damaged.display()),
        ];
        let metadata = &settings[random.below(3) as usize];
        let component = component("store", "state.redb", metadata);
        let replaced = self.tenant.replace(&self.registry, &component).await;
        assert!(replaced.is_err(), "{metadata}");
        self.write(random).await;
    }

    /// Removes a component, which is refused while an app cannot do without it.
    async fn take(&mut self, random: &mut Random) {
        let (name, ..) = COMPONENTS[random.below(6) as usize];
        let parts = self.apps.values().map(|(_, _, parts)| parts);
        let is_used = parts.into_iter().any(|parts| match name {
            "events" => parts.events,
            "hook" => parts.inputs,
            "jobs" => parts.jobs,
            _ => false,
        });
        let expected = match self.has(name) {
            false => Some(Kind::NotFound),
            true if is_used || (name == "store" && self.has_records) => Some(Kind::Conflict),
            true => None,
        };
        let id = name.parse().expect("a name");
        let removed = self.tenant.remove_component(&id).await;
        let found = removed.err().map(|error| error.kind());
        assert_eq!(found, expected, "{name}");
        if expected.is_none() {
            self.components.remove(name);
            if name == "hook" {
                self.webhook = None;
            }
            if name == "store" {
                self.gone().await;
            }
        }
    }

    /// A handle of a component that was removed finds none, also once there is another one of its name.
    async fn gone(&mut self) {
        let caller = operator(self.tenant.name());
        let handle = self.handle.take().expect("the store was there");
        let error = handle.get(&caller, "key").await.expect_err("it is gone");
        assert_eq!(error.kind(), Kind::NotFound);
    }

    async fn admit(&mut self, random: &mut Random) {
        let id = APPS[random.below(3) as usize];
        self.leave(id).await;
        let parts = Parts::of(random.below(32));
        let (app, busy) = Busy::app(self.tenant.name(), id, parts);
        let prefix = format!("/{}/{id}", self.tenant.name());
        let admitted = self.tenant.admit(&app, Some(&prefix)).await;
        let can_host_actors = !parts.actors || self.has("store");
        assert_eq!(admitted.is_ok(), can_host_actors, "{admitted:?}");
        self.has_records |= parts.actors && can_host_actors;
        let started = self.tenant.start(&app).await;
        let needs = [
            (parts.events, "events"),
            (parts.settings, "settings"),
            (parts.inputs, "hook"),
        ];
        let has_all = needs.iter().all(|(needs, name)| !needs || self.has(name));
        let has_all = has_all && !(parts.inputs && self.apps.values().any(|(_, _, of)| of.inputs));
        assert_eq!(started.is_ok(), has_all, "{started:?}");
        if can_host_actors && has_all {
            self.apps.insert(id, (app, busy, parts));
        } else {
            let removed = self.tenant.remove(app.id()).await;
            assert!(removed.expect("it is open"));
        }
    }

    async fn remove(&mut self, random: &mut Random) {
        self.leave(APPS[random.below(3) as usize]).await;
    }

    async fn leave(&mut self, id: &'static str) {
        let known = self.apps.remove(id);
        let name = id.parse().expect("a name");
        let removed = self.tenant.remove(&name).await;
        assert_eq!(removed.expect("it is open"), known.is_some());
    }

    /// Keeps something by a handle and by actors, in the component that is there now.
    async fn write(&mut self, random: &mut Random) {
        let caller = operator(self.tenant.name());
        if let Some(handle) = &self.handle {
            let value = random.number().to_string();
            let put = Put::new("key", value.clone());
            handle.put(&caller, put).await.expect("it is kept");
            let stored = handle.get(&caller, "key").await.expect("it is read");
            assert_eq!(stored.expect("it is there").value, value);
        }
        for (id, (_, _, parts)) in &self.apps {
            let (kind, data) = (kind(id), Bytes::new());
            let turn = self.tenant.actors.invoke(&caller, &kind, "a", "add", data);
            let found = turn.await.err().map(|error| error.kind());
            assert_eq!(found, (!parts.actors).then_some(Kind::NotFound));
        }
    }

    async fn publish(&self) {
        let caller = operator(self.tenant.name());
        let topic = self.tenant.pubsub.open(&caller, "events", "news");
        assert_eq!(topic.is_ok(), self.has("events"));
        let Ok(topic) = topic else { return };
        let apps = self.apps.values().filter(|(_, _, parts)| parts.events);
        let before: Vec<_> = apps
            .map(|(_, busy, _)| (busy, busy.events.load(SeqCst)))
            .collect();
        let options = PublishOptions::default();
        let event = Event {
            kind: "news".into(),
            ..Event::default()
        };
        let sent = topic.publish(&caller, event, &options);
        sent.await.expect("the broker takes it");
        for (busy, count) in before {
            until(|| busy.events.load(SeqCst) > count).await;
        }
    }

    async fn call_webhook(&self, host: &Host) {
        let Some(change) = self.webhook else {
            return;
        };
        let path = format!("/{}/hook-{change}", self.tenant.name());
        let webhook = host
            .routes()
            .place(None, &path)
            .webhook(&path)
            .expect("a door");
        let call_webhook = WebhookRequest {
            method: "POST".into(),
            query: None,
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let answer = self
            .tenant
            .bindings
            .call_webhook(&webhook, Trace::start(), call_webhook);
        let listens = self.apps.values().any(|(_, _, parts)| parts.inputs);
        assert_eq!(answer.await.is_ok(), listens);
    }

    /// Every app that is there answers at its prefix, and no other one does.
    async fn look(&self, host: &Host) {
        let caller = operator(self.tenant.name());
        for id in APPS {
            let path = format!("/{}/{id}/page", self.tenant.name());
            let route = host.routes().place(None, &path).route(&path);
            assert_eq!(route.is_some(), self.apps.contains_key(id), "{path}");
            let Some(route) = route else { continue };
            let request = http::Request::new(body_from(""));
            let answer = route.app.http(Origin::Call(&caller), request).await;
            answer.expect("an answer");
        }
        let routes = host.routes().count(Some(self.tenant.name()));
        assert_eq!(
            routes,
            self.apps.len() + usize::from(self.webhook.is_some())
        );
    }
}

/// Waits for what happens a moment later.
pub async fn until(holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "it never happened");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
