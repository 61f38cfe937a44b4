//! An app whose actors do what they are told: the data of a call is a list of steps.

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use wythe_blocks::{
    App, Call, Callee, Error, Exports, Profile, Result, Tenant,
    actors::{self, Actor, Trigger, Turn, Type},
    pubsub::Event,
};
use wythe_manifest::{ActorPattern, Grants, Limits, Name, PartPattern};

pub(super) const APP: &str = "puppets";
pub(super) const BROKER: &str = "pubsub";
/// The type whose actors take all their time to go.
pub(super) const STICKY: &str = "sticky";
const WALL: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Step {
    /// Adds to the number at `sum`, and answers with it.
    Add(i64),
    /// Answers with the number at `sum`.
    Sum,
    Get(String),
    Put(String, String),
    PutFor(String, String, u64),
    Delete(String),
    Keys(String),
    /// Ends the turn by an error.
    Fail(String),
    Panic,
    Sleep(u64),
    /// Steps of another actor: type, id.
    Call(String, String, Vec<Step>),
    /// A step like `Call`, with the message where it fails.
    Try(String, String, Vec<Step>),
    /// Two calls of ids of the own type, at once.
    Both(String, String, Vec<Step>),
    Publish(String, String),
    Remind(String, u64, Option<u64>, Vec<Step>),
    ForgetReminder(String),
    Timer(String, u64, Option<u64>, Vec<Step>),
    ForgetTimer(String),
    /// The first so many turns that come here fail.
    FailFirst(usize),
}

/// A wake of an actor by something else than a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Woken {
    pub actor: String,
    pub by: String,
    pub at: Instant,
}

pub struct Puppet {
    id: Name,
    host: Weak<Tenant>,
    failures: AtomicUsize,
    /// Actors of which a turn runs now, with the most there ever were at once.
    running: Mutex<(Vec<String>, usize)>,
    woken: Mutex<Vec<Woken>>,
    forgotten: AtomicUsize,
}

impl Puppet {
    pub(super) fn new(id: &str, host: &Arc<Tenant>) -> Arc<Self> {
        Arc::new(Puppet {
            id: id.parse().expect("a name"),
            host: Arc::downgrade(host),
            failures: AtomicUsize::new(0),
            running: Mutex::default(),
            woken: Mutex::default(),
            forgotten: AtomicUsize::new(0),
        })
    }

    /// The app that calls reach it by. None of its calls waits for a place.
    pub(super) fn app(self: &Arc<Self>, tenant: Name) -> Arc<App> {
        let profile = Profile {
            grants: Self::grants(),
            limits: Limits {
                wall_time: WALL,
                concurrency: 10_000,
                ..Limits::default()
            },
            ..Profile::new(tenant, self.id.clone())
        };
        App::new(profile, self.clone())
    }

    pub(super) fn types() -> Vec<Type> {
        let idle = Duration::from_millis(300);
        vec![
            Type::new("plain"),
            Type {
                reentrant: true,
                ..Type::new("open")
            },
            Type {
                lifecycle: true,
                idle,
                ..Type::new("short")
            },
        ]
    }

    pub(super) fn grants() -> Arc<Grants> {
        Arc::new(Grants {
            actors: vec![ActorPattern::Any],
            publish: vec![PartPattern::Any],
            ..Grants::default()
        })
    }

    pub(super) fn woken(&self) -> Vec<Woken> {
        self.woken.lock().clone()
    }

    pub(super) fn forgotten(&self) -> usize {
        self.forgotten.load(SeqCst)
    }

    /// The most turns that ran at once.
    pub(super) fn peak(&self) -> usize {
        self.running.lock().1
    }

    fn alarm(&self, actor: &Actor, by: &str) {
        self.woken.lock().push(Woken {
            actor: actor.to_string(),
            by: by.into(),
            at: Instant::now(),
        });
    }

    async fn run(&self, caller: &Call, steps: Vec<Step>) -> Result<Vec<Value>> {
        let mut answers = Vec::new();
        for step in steps {
            answers.push(Box::pin(self.step(caller, step)).await?);
        }
        Ok(answers)
    }

    async fn step(&self, caller: &Call, step: Step) -> Result<Value> {
        let turn = actors::context(caller)?;
        match step {
            Step::Add(_) | Step::Sum => return number(turn, caller, &step).await,
            Step::Get(key) => return Ok(text(turn.get(caller, &key).await?)),
            Step::Put(key, value) => turn.put(caller, &key, value.into(), None)?,
            Step::PutFor(key, value, ttl) => turn.put(caller, &key, value.into(), Some(ms(ttl)))?,
            Step::Delete(key) => turn.delete(caller, &key)?,
            Step::Keys(prefix) => return Ok(json!(turn.keys(caller, &prefix).await?)),
            Step::Fail(message) => return Err(Error::internal(message)),
            Step::Panic => panic!("as it was told"),
            Step::Sleep(time) => tokio::time::sleep(ms(time)).await,
            Step::Publish(topic, data) => publish(turn, caller, &topic, data)?,
            Step::FailFirst(times) => {
                if self.failures.fetch_add(1, SeqCst) < times {
                    return Err(Error::internal("one of the first"));
                }
            }
            Step::Call(..) | Step::Try(..) | Step::Both(..) => {
                return self.call(caller, step).await;
            }
            step => alarms(turn, caller, step).await?,
        }
        Ok(Value::Null)
    }

    async fn call(&self, caller: &Call, step: Step) -> Result<Value> {
        match step {
            Step::Call(kind, id, steps) => self.send(caller, &kind, &id, &steps).await,
            Step::Try(kind, id, steps) => Ok(match self.send(caller, &kind, &id, &steps).await {
                Ok(answer) => answer,
                Err(error) => json!(error.message()),
            }),
            Step::Both(one, other, steps) => {
                let kind = &actors::context(caller)?.actor().kind;
                let one = self.send(caller, kind, &one, &steps);
                let other = self.send(caller, kind, &other, &steps);
                let reported =
                    |answer: Result<Value>| answer.unwrap_or_else(|e| json!(e.message()));
                let (one, other) = futures::join!(one, other);
                Ok(json!([reported(one), reported(other)]))
            }
            _ => Ok(Value::Null),
        }
    }

    async fn send(&self, caller: &Call, kind: &str, id: &str, steps: &[Step]) -> Result<Value> {
        let host = self.host.upgrade().expect("the host is there");
        let data = serde_json::to_vec(steps).expect("steps are JSON").into();
        let answer = host.actors.invoke(caller, kind, id, "run", data).await?;
        Ok(serde_json::from_slice(&answer).expect("an answer is JSON"))
    }
}

async fn number(turn: &Turn, caller: &Call, step: &Step) -> Result<Value> {
    let old = turn.get(caller, "sum").await?;
    let old = old.map_or(0, |old| {
        String::from_utf8_lossy(&old).parse().expect("a number")
    });
    let &Step::Add(delta) = step else {
        return Ok(json!(old));
    };
    let sum: i64 = old + delta;
    turn.put(caller, "sum", sum.to_string().into(), None)?;
    Ok(json!(sum))
}

async fn alarms(turn: &Turn, caller: &Call, step: Step) -> Result<()> {
    let data = |steps: Vec<Step>| Bytes::from(serde_json::to_vec(&steps).expect("steps are JSON"));
    match step {
        Step::Remind(name, due, period, steps) => {
            let (due, period) = (ms(due), period.map(ms));
            turn.set_reminder(caller, &name, due, period, data(steps))
                .await
        }
        Step::ForgetReminder(name) => turn.clear_reminder(caller, &name).await,
        Step::Timer(name, due, period, steps) => {
            turn.set_timer(caller, &name, ms(due), period.map(ms), data(steps))
        }
        Step::ForgetTimer(name) => turn.clear_timer(caller, &name),
        _ => Ok(()),
    }
}

fn publish(turn: &Turn, caller: &Call, topic: &str, data: String) -> Result<()> {
    let event = Event {
        kind: "test".into(),
        content_type: "text/plain".into(),
        data: data.into(),
        ..Event::default()
    };
    turn.publish(caller, BROKER, topic, event)
}

fn text(bytes: Option<Bytes>) -> Value {
    bytes.map_or(Value::Null, |bytes| json!(String::from_utf8_lossy(&bytes)))
}

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Panics where an actor has two turns at once that are not inside each other.
struct Running<'a>(&'a Puppet, String);

impl<'a> Running<'a> {
    fn new(puppet: &'a Puppet, actor: String) -> Self {
        let mut running = puppet.running.lock();
        assert!(!running.0.contains(&actor), "two turns of {actor} at once");
        running.0.push(actor.clone());
        running.1 = running.1.max(running.0.len());
        Running(puppet, actor)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.lock().0.retain(|actor| *actor != self.1);
    }
}

#[async_trait]
impl Callee for Puppet {
    fn exports(&self) -> Exports {
        Exports {
            actor_handler: true,
            ..Exports::default()
        }
    }

    async fn actor_turn(&self, caller: Call, trigger: Trigger) -> Result<Bytes> {
        let actor = actors::context(&caller)?.actor().clone();
        let _running = (actor.kind != "open").then(|| Running::new(self, actor.to_string()));
        let steps = match trigger {
            Trigger::Call(_, data) => data,
            Trigger::Timer(name, data) | Trigger::Reminder(name, data) => {
                self.alarm(&actor, &name);
                data
            }
            Trigger::Activate => {
                self.alarm(&actor, "activate");
                "[]".into()
            }
            Trigger::Deactivate => {
                self.alarm(&actor, "deactivate");
                if actor.kind == STICKY {
                    tokio::time::sleep(WALL).await;
                }
                "[]".into()
            }
        };
        let steps = serde_json::from_slice(&steps);
        let steps = steps.map_err(|error| Error::invalid(error.to_string()))?;
        let run = tokio::time::timeout_at(caller.deadline().into(), self.run(&caller, steps));
        let answers = run.await.map_err(|_| Error::timeout("too slow"))??;
        Ok(serde_json::to_vec(&answers)
            .expect("answers are JSON")
            .into())
    }

    fn forget_actor(&self, _: &Actor) {
        self.forgotten.fetch_add(1, SeqCst);
    }
}
