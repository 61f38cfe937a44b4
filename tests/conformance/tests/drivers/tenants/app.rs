//! An app that has some of all that can reach an app, and counts what does.

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};
use wythe_blocks::{
    Admission, App, Body, Call, Callee, Exports, Profile, Result, actors,
    bindings::Input,
    body_from,
    configuration::{self, Change},
    invocation::{Request, Response},
    jobs::Occurrence,
    pubsub::{Delivery, Subscription, Verdict},
};
use wythe_manifest::{Grants, Name, PartPattern, Pattern};

/// The parts of an app: what it asks to be reached by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    pub events: bool,
    pub settings: bool,
    pub inputs: bool,
    pub jobs: bool,
    pub actors: bool,
}

impl Parts {
    pub const ALL: Parts = Parts {
        events: true,
        settings: true,
        inputs: true,
        jobs: true,
        actors: true,
    };

    /// Parts by the bits of a number.
    pub fn of(bits: u64) -> Self {
        Parts {
            events: bits & 1 != 0,
            settings: bits & 2 != 0,
            inputs: bits & 4 != 0,
            jobs: bits & 8 != 0,
            actors: bits & 16 != 0,
        }
    }
}

/// An app that is well.
pub struct Busy {
    id: String,
    parts: Parts,
    pub events: AtomicU64,
    pub inputs: AtomicU64,
}

impl Busy {
    pub fn app(tenant: &Name, id: &str, parts: Parts) -> (Arc<App>, Arc<Busy>) {
        let grants = Grants {
            subscribe: vec![PartPattern::Any],
            listen: vec![Pattern::Any],
            configuration: vec![Pattern::Any],
            jobs: vec!["*".parse().expect("a pattern")],
            ..Grants::default()
        };
        let profile = Profile {
            grants: Arc::new(grants),
            ..Profile::new(tenant.clone(), id.parse().expect("a name"))
        };
        let busy = Arc::new(Busy {
            id: id.to_owned(),
            parts,
            events: AtomicU64::new(0),
            inputs: AtomicU64::new(0),
        });
        (App::new(profile, busy.clone()), busy)
    }
}

/// The type of an app's actors.
pub fn kind(id: &str) -> String {
    format!("actors-of-{id}")
}

#[async_trait]
impl Callee for Busy {
    fn exports(&self) -> Exports {
        Exports {
            invocation: true,
            http: true,
            subscriber: self.parts.events,
            configuration_listener: self.parts.settings,
            binding_listener: self.parts.inputs,
            job_runner: self.parts.jobs,
            actor_handler: self.parts.actors,
            ..Exports::default()
        }
    }

    async fn http(
        &self,
        _: Call,
        _: Admission,
        _: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        Ok(http::Response::new(body_from(self.id.clone())))
    }

    async fn invoke(&self, _: Call, _: Request) -> Result<Response> {
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: self.id.clone().into(),
        })
    }

    async fn subscriptions(&self, _: Call) -> Result<Vec<Subscription>> {
        let subscription = Subscription {
            component: "events".into(),
            topic: "news".into(),
            ..Subscription::default()
        };
        Ok(self
            .parts
            .events
            .then_some(subscription)
            .into_iter()
            .collect())
    }

    async fn on_event(&self, _: Call, _: Delivery) -> Result<Verdict> {
        self.events.fetch_add(1, SeqCst);
        Ok(Verdict::Ack)
    }

    async fn configurations(&self, _: Call) -> Result<Vec<configuration::Subscription>> {
        let subscription = configuration::Subscription {
            component: "settings".into(),
            keys: Vec::new(),
        };
        Ok(self
            .parts
            .settings
            .then_some(subscription)
            .into_iter()
            .collect())
    }

    async fn on_change(&self, _: Call, _: Change) -> Result<()> {
        Ok(())
    }

    async fn inputs(&self, _: Call) -> Result<Vec<String>> {
        let name = "hook".to_owned();
        Ok(self.parts.inputs.then_some(name).into_iter().collect())
    }

    async fn on_input(&self, _: Call, _: Input) -> Result<Bytes> {
        self.inputs.fetch_add(1, SeqCst);
        Ok(Bytes::new())
    }

    async fn run_job(&self, _: Call, _: Occurrence) -> Result<()> {
        Ok(())
    }

    async fn actor_types(&self, _: Call) -> Result<Vec<actors::Type>> {
        let own = actors::Type::new(kind(&self.id));
        Ok(self.parts.actors.then_some(own).into_iter().collect())
    }

    async fn actor_turn(&self, call: Call, _: actors::Trigger) -> Result<Bytes> {
        let Some(inside) = call.inside() else {
            return Ok(Bytes::new());
        };
        inside
            .turn
            .put(&call, "count", Bytes::from_static(b"1"), None)?;
        Ok(Bytes::new())
    }
}
