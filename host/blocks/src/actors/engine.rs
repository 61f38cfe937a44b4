//! The engine: which actors are here, who stands in the queue of each, and how a turn begins and ends.

use super::{
    Inside, Limits, Trigger, Type,
    core::graph::{self, Graph},
    core::names::Actor,
    due::Due,
    moving::{self, Moved},
    outbox, reminders,
    slot::TurnPermit,
    slots::Slots,
    sweep,
    table::Turns,
    turn,
};
use crate::{
    App, Call, Error, Origin, Resiliency, Result, Tasks, Trace,
    pubsub::PubSub,
    quota::Ledger,
    resiliency::Target,
    shares::Shares,
    state::{InternalStore, State},
    time,
    time::{Clock as _, host_deadline},
};
use bytes::Bytes;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, oneshot};
use wythe_manifest::{Aim, Name};

/// The time after the timeout of a policy in which a turn ends: its code is cut off a second after it.
const ENDING: Duration = Duration::from_secs(2);

/// A type and the app that has it.
pub(super) struct Hosted {
    pub app: Arc<App>,
    pub kind: Type,
    /// The policies of calls of its actors.
    pub target: Arc<Target>,
}

/// The actors of a tenant: those that are here, and where all are kept.
pub(super) struct Space {
    pub tenant: Name,
    pub internal_store: InternalStore,
    /// Bytes that activations remember between turns.
    pub remembered: Arc<AtomicUsize>,
    pub slots: Slots,
    /// Permits of sweeps, one for each app whose actors are made to go.
    pub sweeps: Shares,
    /// Reminders that have come due.
    pub due: Due,
    /// Permits for the turns of reminders.
    pub permits: Shares,
    /// News about reminders: one was set, a turn has ended, or an app came.
    pub reminded: Notify,
    /// A bell that rings when there are events to send.
    pub sent: Notify,
    pub moved: Moved,
    is_started: AtomicBool,
}

impl Space {
    /// The host speaks for itself: neither scopes nor a caller's deadline apply.
    pub(super) fn caller(&self, app: &Name, trace: Trace) -> Call {
        let deadline = host_deadline();
        Call::host(self.tenant.clone(), app.clone(), trace, deadline)
    }

    /// Stands in the queue of an actor of this app: first come, first served. `exhausted` where there are too many.
    pub(super) async fn enter(
        &self,
        actor: &Arc<Actor>,
        app: &Name,
        deadline: Instant,
    ) -> Result<TurnPermit> {
        loop {
            let slot = self.slots.of(actor, app)?;
            let turn = slot.turns.clone().acquire_owned();
            match tokio::time::timeout_at(deadline.into(), turn).await {
                Ok(Ok(permit)) => {
                    return Ok(TurnPermit {
                        slot,
                        _permit: permit,
                    });
                }
                // The activation went while this call stood in its queue; there is another.
                Ok(Err(_)) => {}
                Err(_) => {
                    return Err(Error::timeout(format!(
                        "actor `{actor}` was busy until the deadline"
                    )));
                }
            }
        }
    }
}

pub(super) struct Engine {
    pub tasks: Tasks,
    pub graph: Graph,
    pub turns: Turns,
    pub pubsub: Arc<PubSub>,
    limits: Mutex<Limits>,
    ledger: Arc<Ledger>,
    state: Arc<State>,
    policies: Arc<Resiliency>,
    types: Mutex<HashMap<(Name, String), Arc<Hosted>>>,
    spaces: Mutex<HashMap<Name, Arc<Space>>>,
}

impl Engine {
    pub(super) fn new(
        tasks: Tasks,
        state: Arc<State>,
        pubsub: Arc<PubSub>,
        ledger: Arc<Ledger>,
        policies: Arc<Resiliency>,
    ) -> Self {
        Engine {
            tasks,
            graph: Graph::default(),
            turns: Turns::default(),
            pubsub,
            limits: Mutex::default(),
            ledger,
            state,
            policies,
            types: Mutex::default(),
            spaces: Mutex::default(),
        }
    }

    pub(super) fn limit(&self, limits: Limits) {
        *self.limits.lock() = limits;
    }

    pub(super) fn clear(&self) {
        self.types.lock().clear();
        self.spaces.lock().clear();
    }

    pub(super) fn hosted(&self, tenant: &Name, kind: &str) -> Option<Arc<Hosted>> {
        let types = self.types.lock();
        types.get(&(tenant.clone(), kind.to_owned())).cloned()
    }

    /// The actor types of the tenant, in order.
    pub(super) fn kinds(&self, tenant: &Name) -> Vec<String> {
        let types = self.types.lock();
        let own = types.keys().filter(|(of, _)| of == tenant);
        let mut kinds: Vec<_> = own.map(|(_, kind)| kind.clone()).collect();
        kinds.sort();
        kinds
    }

    /// Gives an app these types, and answers with those that it had.
    pub(super) fn host(&self, app: &Arc<App>, kinds: Vec<Type>) -> Vec<Arc<Hosted>> {
        let tenant = app.tenant();
        let mut types = self.types.lock();
        let had = types.extract_if(|(of, _), hosted| of == tenant && hosted.is_of(app));
        let had = had.map(|(_, hosted)| hosted).collect();
        for kind in kinds {
            let key = (tenant.clone(), kind.name.clone());
            let app = app.clone();
            let target = self.policies.target(Aim::Actor, &kind.name, "");
            types.insert(key, Arc::new(Hosted { app, kind, target }));
        }
        let own = types.iter().filter(|((of, _), _)| of == tenant);
        let apps = own.map(|(_, hosted)| hosted.app.id().clone()).collect();
        drop(types);
        if let Some(space) = self.spaces.lock().get(tenant) {
            space.due.attach(&apps, time::now());
            space.reminded.notify_one();
        }
        had
    }

    /// The space of a tenant that has one already.
    pub(super) fn known(&self, tenant: &Name) -> Option<Arc<Space>> {
        self.spaces.lock().get(tenant).cloned()
    }

    pub(super) fn space(&self, tenant: &Name) -> Result<Arc<Space>> {
        let mut spaces = self.spaces.lock();
        if let Some(space) = spaces.get(tenant) {
            return Ok(space.clone());
        }
        let limits = *self.limits.lock();
        let space = Arc::new(Space {
            tenant: tenant.clone(),
            internal_store: self.state.internal_store()?,
            remembered: Arc::default(),
            slots: Slots::new(limits.active, self.ledger.clone()),
            sweeps: Shares::new(1),
            due: Due::new(limits.pause),
            permits: Shares::new(reminders::AT_ONCE),
            reminded: Notify::new(),
            sent: Notify::new(),
            moved: Moved::default(),
            is_started: AtomicBool::new(false),
        });
        spaces.insert(tenant.clone(), space.clone());
        Ok(space)
    }

    pub(super) fn start(self: &Arc<Self>, space: &Arc<Space>) {
        if space.is_started.swap(true, Relaxed) {
            return;
        }
        let (engine, of) = (self.clone(), space.clone());
        self.tasks
            .supervise(move || moving::run(engine.clone(), of.clone()));
        let (engine, of) = (self.clone(), space.clone());
        self.tasks
            .supervise(move || reminders::run(engine.clone(), of.clone()));
        let (engine, of) = (self.clone(), space.clone());
        self.tasks
            .supervise(move || outbox::run(engine.clone(), of.clone()));
        let (engine, of) = (self.clone(), space.clone());
        self.tasks
            .supervise(move || sweep::run(engine.clone(), of.clone()));
    }

    /// A call by an app or the operator. The turn itself has no longer than `timeout`, and its code a second more to end.
    pub(super) async fn call(
        self: &Arc<Self>,
        from: &Call,
        hosted: &Arc<Hosted>,
        actor: Arc<Actor>,
        trigger: Trigger,
        timeout: Option<Duration>,
    ) -> Result<Bytes> {
        let limited =
            || timeout.map_or_else(|| from.clone(), |time| from.capped(time::deadline(time)));
        if let Some(inside) = from.turns().find(|inside| inside.turn.actor == actor) {
            return reenter(&limited(), hosted, inside, trigger).await;
        }
        let waiting = self.graph.wait(from, &actor)?;
        if let Some(inside) = from.turns().next() {
            inside.turn.has_called.store(true, Relaxed);
        }
        let space = self.space(&actor.tenant)?;
        let permit = space
            .enter(&actor, hosted.app.id(), from.deadline())
            .await?;
        let limited = limited();
        let end = match timeout {
            Some(_) => limited.deadline().after(ENDING).min(from.deadline()),
            None => from.deadline(),
        };
        let answer = self.detach(
            permit,
            hosted.clone(),
            Cause::Call(limited),
            Why::Trigger(trigger),
        );
        let answer = tokio::time::timeout_at(end.into(), answer).await;
        drop(waiting);
        answer.unwrap_or_else(|_| {
            Err(Error::unknown_outcome(format!(
                "the turn of actor `{actor}` did not end in time and may or may not be kept"
            )))
        })
    }

    /// A turn that the host itself begins; nobody waits for it longer than a guest may run.
    pub(super) async fn wake(
        self: &Arc<Self>,
        hosted: Arc<Hosted>,
        actor: Arc<Actor>,
        why: Why,
    ) -> Result<Bytes> {
        let space = self.space(&actor.tenant)?;
        let permit = space
            .enter(&actor, hosted.app.id(), host_deadline())
            .await?;
        self.detach(permit, hosted, Cause::host(), why).await
    }

    /// A turn is a task of its own, so that a caller that goes away cuts no commit in two.
    pub(super) async fn detach(
        self: &Arc<Self>,
        permit: TurnPermit,
        hosted: Arc<Hosted>,
        cause: Cause,
        why: Why,
    ) -> Result<Bytes> {
        let (sender, receiver) = oneshot::channel();
        let engine = self.clone();
        let actor = permit.slot.actor.clone();
        self.tasks.spawn(async move {
            let turn = Box::pin(engine.turn(&permit, &hosted, &cause, &why));
            let answer = turn.await;
            permit.slot.touch();
            drop(permit);
            let _ = sender.send(answer);
        });
        receiver.await.unwrap_or_else(|_| {
            Err(Error::internal(format!(
                "the turn of actor `{actor}` ended early"
            )))
        })
    }
}

/// The cause of a turn: a call, or a span that the host goes on from.
pub(super) enum Cause {
    Call(Call),
    Trace(Trace),
    /// The host itself, which begins a trace.
    Host(Trace),
}

impl Cause {
    pub(super) fn host() -> Self {
        Cause::Host(Trace::start())
    }

    pub(super) fn trace(&self) -> Trace {
        match self {
            Cause::Call(from) => from.trace(),
            Cause::Trace(trace) | Cause::Host(trace) => *trace,
        }
    }
}

/// The reason why the host looks at an actor.
pub(super) enum Why {
    Trigger(Trigger),
    /// An occurrence of a reminder, which may be done with already.
    Reminder {
        name: String,
        due: u64,
    },
    /// An occurrence of a reminder that failed too often; the app is not asked.
    GiveUp {
        name: String,
        due: u64,
    },
    /// A timer of one activation.
    Timer {
        activation: u64,
        name: String,
        data: Bytes,
    },
    /// It was not called for long.
    Idle,
}

/// A call that came back to a turn in its own chain.
async fn reenter(from: &Call, hosted: &Hosted, inside: &Inside, trigger: Trigger) -> Result<Bytes> {
    let turn = &inside.turn;
    let refusal = || {
        let mut chain: Vec<_> = from.turns().map(|inside| &inside.turn.actor).collect();
        chain.reverse();
        graph::refusal(&turn.actor, chain.into_iter().chain([&turn.actor]))
    };
    if !hosted.kind.reentrant {
        return Err(refusal());
    }
    // Calls that an app makes at once cannot both be inside: each would see half of what the other does.
    let Some(frame) = turn.begin_frame(inside.frame)? else {
        return Err(refusal());
    };
    let within = Inside {
        turn: turn.clone(),
        frame: frame.number,
    };
    let answer = hosted
        .app
        .actor_turn(Origin::Call(from), within, trigger)
        .await?;
    turn::check_data("the answer", answer.len())?;
    frame.commit();
    Ok(answer)
}
