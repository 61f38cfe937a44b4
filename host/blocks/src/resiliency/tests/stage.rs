//! A tenant with one app that answers as a test says, and one binding and one secret store that do so as well.

use crate::{
    Admission, App, Body, Call, Callee, Error, Exports, Kind, Profile, Registry, Result, Settings,
    Shared, Tenant,
    bindings::{self, Outcome},
    body_from,
    invocation::{Request, Response},
    secrets,
    time::{self, NEVER},
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::Instant;
use wythe_manifest::{Name, parse_resources};

/// An answer of the app or of a driver.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    Status(u16),
    Error(Kind),
    /// It takes so long, and is well then.
    Slow(Duration),
}

/// The answers of an app or a driver, the last one again and again, and the times at which it was asked.
pub(super) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    calls: Mutex<Vec<Instant>>,
    asked: Mutex<Vec<Call>>,
}

impl Script {
    pub fn new() -> Arc<Self> {
        Arc::new(Script {
            answers: Mutex::new([Answer::Status(200)].into()),
            calls: Mutex::default(),
            asked: Mutex::default(),
        })
    }

    pub fn answers(&self, answers: &[Answer]) {
        *self.answers.lock() = answers.iter().copied().collect();
    }

    /// Forgets the calls; how many there were.
    pub fn calls(&self) -> usize {
        std::mem::take(&mut *self.calls.lock()).len()
    }

    /// Milliseconds from the first call to each, rounded to tenths of a second.
    pub fn offsets(&self) -> Vec<u128> {
        let calls = self.calls.lock();
        // A tenth of each pause is by chance, so each is rounded by itself.
        let gap = |pair: &[Instant]| (pair[1].duration_since(pair[0]).as_millis() + 50) / 100 * 100;
        let mut offsets: Vec<u128> = calls.first().map(|_| 0).into_iter().collect();
        for pair in calls.windows(2) {
            offsets.push(offsets[offsets.len() - 1] + gap(pair));
        }
        offsets
    }

    /// The calls of the app, as it was given them.
    pub fn asked(&self) -> Vec<Call> {
        self.asked.lock().clone()
    }

    async fn next(&self) -> Result<u16> {
        self.calls.lock().push(Instant::now());
        let answer = {
            let mut answers = self.answers.lock();
            match answers.len() {
                1 => answers[0],
                _ => answers.pop_front().expect("an answer"),
            }
        };
        match answer {
            Answer::Status(status) => Ok(status),
            Answer::Error(kind) => Err(Error::new(kind, "as the test says")),
            Answer::Slow(time) => {
                tokio::time::sleep(time).await;
                Ok(200)
            }
        }
    }
}

/// An app of HTTP.
pub(super) struct Answering(pub Arc<Script>);

#[async_trait]
impl Callee for Answering {
    fn exports(&self) -> Exports {
        Exports {
            http: true,
            ..Exports::default()
        }
    }

    async fn http(
        &self,
        call: Call,
        _: Admission,
        _: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        self.0.asked.lock().push(call);
        let mut response = http::Response::new(body_from("{}"));
        *response.status_mut() = self.0.next().await?.try_into().expect("a status");
        Ok(response)
    }
}

struct Driver(Arc<Script>);

#[async_trait]
impl bindings::Driver for Driver {
    fn features(&self) -> bindings::Features {
        bindings::Features {
            operations: vec!["get".into()],
            ..bindings::Features::default()
        }
    }

    async fn invoke(&self, _: bindings::Request<'_>) -> Result<Outcome> {
        self.0.next().await.map(|_| Outcome::default())
    }
}

#[async_trait]
impl secrets::Driver for Driver {
    fn features(&self) -> secrets::Features {
        secrets::Features {
            multiple_values: false,
            names: false,
        }
    }

    async fn get(&self, _: &str, _: &[(String, String)]) -> Result<Option<secrets::Found>> {
        self.0.next().await.map(|_| None)
    }

    async fn names(&self) -> Result<Vec<String>> {
        self.0.next().await.map(|_| Vec::new())
    }
}

const COMPONENTS: &str = "
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: web }
spec: { type: bindings.scripted }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec: { type: secretstores.scripted }
";

/// A tenant, and those that answer in it.
pub(super) struct Stage {
    pub tenant: Arc<Tenant>,
    /// The app `golden`.
    pub app: Arc<Script>,
    /// The binding `web` and the secret store `vault`.
    pub driver: Arc<Script>,
}

pub(super) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

/// The policies of a document, from its `spec` on.
pub(super) fn policies(spec: &str) -> Vec<wythe_manifest::Resiliency> {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: { name: r }\n";
    let texts = spec.split("---\n").map(|one| format!("{head}{one}\n---\n"));
    let (resources, problems) = parse_resources(&texts.collect::<String>(), "r.yaml".as_ref());
    assert!(!problems.has_errors(), "{problems}");
    resources.resiliencies
}

impl Stage {
    pub async fn open(spec: &str) -> Self {
        let (app, driver) = (Script::new(), Script::new());
        let settings = Settings {
            resiliencies: policies(spec),
            ..Settings::new(name("t"), "/nowhere")
        };
        let tenant = Tenant::new(settings, &Shared::default());
        let mut registry = Registry::default();
        let script = driver.clone();
        registry.bindings.add("scripted", move |_: Empty, _| {
            let driver: Arc<dyn bindings::Driver> = Arc::new(Driver(script.clone()));
            async { Ok(driver) }
        });
        let script = driver.clone();
        registry.secrets.add("scripted", move |_: Empty, _| {
            let driver: Arc<dyn secrets::Driver> = Arc::new(Driver(script.clone()));
            async { Ok(driver) }
        });
        let (resources, problems) = parse_resources(COMPONENTS, "c.yaml".as_ref());
        assert!(problems.is_empty(), "{problems}");
        let opened = tenant.open(&registry, &resources.components).await;
        opened.expect("components that open");
        let profile = Profile::new(name("t"), name("golden"));
        let golden = App::new(profile, Arc::new(Answering(app.clone())));
        tenant.admit(&golden, None).await.expect("an app");
        Stage {
            tenant,
            app,
            driver,
        }
    }

    /// Puts other policies in force.
    pub async fn change(&self, spec: &str) {
        let settings = Settings {
            resiliencies: policies(spec),
            ..Settings::new(name("t"), "/nowhere")
        };
        self.tenant.configure(settings).await.expect("settings");
    }

    /// Calls the app; the status, or the kind of the error.
    pub async fn invoke(&self, method: &str) -> Result<u16, Kind> {
        self.invoke_as(&caller("caller", NEVER), method).await
    }

    pub async fn invoke_as(&self, caller: &Call, method: &str) -> Result<u16, Kind> {
        let answer = self.ask(caller, method).await;
        answer
            .map(|answer| answer.status)
            .map_err(|error| error.kind())
    }

    pub async fn ask(&self, caller: &Call, method: &str) -> Result<Response> {
        let request = Request {
            method: method.into(),
            path: "/x".into(),
            headers: Vec::new(),
            body: Bytes::from_static(b"{\"a\":1}"),
        };
        self.tenant
            .invocation
            .invoke(caller, "golden", request)
            .await
    }

    /// Asks the binding, of which each request is done once.
    pub async fn write(&self) -> Result<(), Kind> {
        let caller = caller("caller", NEVER);
        let bindings = &self.tenant.bindings;
        let asked = bindings.invoke(&caller, "web", "get", Bytes::new(), Vec::new());
        asked.await.map(drop).map_err(|error| error.kind())
    }

    /// Asks the secret store, which may be asked twice.
    pub async fn read(&self) -> Result<(), Kind> {
        let caller = caller("caller", NEVER);
        let asked = self.tenant.secrets.get(&caller, "vault", "name", &[]);
        match asked.await {
            Err(error) if error.kind() != Kind::NotFound => Err(error.kind()),
            _ => Ok(()),
        }
    }

    /// The value of a sample of the metrics.
    pub fn metric(&self, sample: &str) -> u64 {
        let text = self.tenant.metrics.render();
        let line = text.lines().find_map(|line| line.strip_prefix(sample));
        let value = line.unwrap_or_else(|| panic!("{sample} in {text}"));
        value.trim().parse().expect("a number")
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// A call by an app, to which everything is granted, that has so long.
pub(super) fn caller(app: &str, limit: Duration) -> Call {
    Call::operator(name("t"), name(app), time::deadline(limit))
}
