//! The whole of the actors block's rules: one turn at a time, all of a turn or nothing, and never two owners that both keep.
//!
//! Safety rests on one record per actor in the state component. Each commit replaces it, and only over the etag that the
//! activation holds; so of two hosts that both believe they have an actor, one can keep nothing. No lease and no clock is
//! part of that.

mod activation;
mod alarms;
mod core;
mod due;
mod engine;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod guarded;
mod listing;
mod moving;
mod numbers;
mod outbox;
mod persisting;
mod reminders;
mod slot;
mod slots;
mod store;
mod sweep;
mod table;
mod timers;
mod turn;

pub use self::core::names::{Actor, MAX_NAME};
pub use alarms::MAX_ALARM;
pub use listing::{Alarm, Listed, Listing, Stored};
pub use turn::{MAX_DATA, Turn, context};

use crate::{
    App, Call, Error, Resiliency, Result, Tasks, TurnId, pubsub::PubSub, quota::Ledger,
    state::State,
};
use bytes::Bytes;
use engine::{Engine, Hosted};
use std::{sync::Arc, time::Duration};
use wythe_manifest::Name;

/// The idle time of a type that does not give one.
pub const IDLE: Duration = Duration::from_secs(60);

/// Limits of what the actors of a tenant may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Actors that are active at once; half of them of one app. 200,000 by default.
    pub active: usize,
    /// Pause after the first turn of a reminder that failed; it doubles with each other one, up to 60 times as long. 1
    /// s by default.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            active: 200_000,
            pause: Duration::from_secs(1),
        }
    }
}

/// A type of actors, as its app declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Type {
    pub name: String,
    /// A call that comes back in a chain runs inside the turn that it came from.
    pub reentrant: bool,
    /// An instance is kept between turns.
    pub warm: bool,
    /// Wants [`Trigger::Activate`] and [`Trigger::Deactivate`].
    pub lifecycle: bool,
    pub idle: Duration,
}

impl Type {
    /// A type that wants nothing special.
    pub fn new(name: impl Into<String>) -> Self {
        Type {
            name: name.into(),
            reentrant: false,
            warm: false,
            lifecycle: false,
            idle: IDLE,
        }
    }
}

/// The reason why an actor has a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    Activate,
    /// A method and its data.
    Call(String, Bytes),
    /// A timer's name and data.
    Timer(String, Bytes),
    /// A reminder's name and data.
    Reminder(String, Bytes),
    Deactivate,
}

/// A turn, and which of the calls in it: more than the first only where a type is reentrant.
#[derive(Clone)]
pub struct Inside {
    pub turn: Arc<Turn>,
    frame: u32,
}

impl Inside {
    /// The name of the turn and of the call in it.
    pub fn id(&self) -> TurnId {
        TurnId {
            number: self.turn.number,
            frame: self.frame,
        }
    }

    /// Returns whether the turn runs in the instance that its actor keeps, if it keeps one: calls inside it do not.
    pub fn is_warm(&self) -> bool {
        self.turn.is_warm && self.frame == OUTERMOST
    }
}

/// The frame of a turn's own trigger.
const OUTERMOST: u32 = 1;

/// The actors block.
pub struct Actors {
    engine: Arc<Engine>,
}

impl Actors {
    /// The actors that are active are held of `ledger`.
    pub fn new(
        tasks: Tasks,
        state: Arc<State>,
        pubsub: Arc<PubSub>,
        ledger: Arc<Ledger>,
        policies: Arc<Resiliency>,
    ) -> Self {
        Actors {
            engine: Arc::new(Engine::new(tasks, state, pubsub, ledger, policies)),
        }
    }

    /// Sets other limits than the default ones, for tenants that had no actors so far.
    pub fn limit(&self, limits: Limits) {
        self.engine.limit(limits);
    }

    /// Gives this app these types, in place of those that it had; they can be called from now on. Every problem is
    /// reported, and then nothing was changed.
    pub fn attach(&self, app: &Arc<App>, types: Vec<Type>) -> Result<(), Vec<Error>> {
        let tenant = app.tenant();
        let mut problems = Vec::new();
        for (index, kind) in types.iter().enumerate() {
            let is_twice = types[..index].iter().any(|other| other.name == kind.name);
            problems.extend(self.problem(app, kind, is_twice));
        }
        if !types.is_empty()
            && let Err(error) = self.engine.space(tenant)
        {
            let app = app.id();
            problems.push(
                error.map_message(|message| format!("app `{app}` has actors, and {message}")),
            );
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        self.engine.host(app, types);
        Ok(())
    }

    /// Lets an app's actors go: each has its last turn, and can be called no more.
    pub(crate) async fn detach(&self, app: &Arc<App>) {
        let gone = self.engine.host(app, Vec::new());
        if !gone.is_empty()
            && let Ok(space) = self.engine.space(app.tenant())
        {
            sweep::evict(&self.engine, &space, app.id(), &gone).await;
        }
    }

    /// Forgets what is in memory of every actor: another store is about to take the place of the one it was read from.
    pub(crate) fn forget(&self, tenant: &Name) {
        let Ok(space) = self.engine.space(tenant) else {
            return;
        };
        for slot in space.slots.all().into_iter().filter(|slot| slot.forget()) {
            if let Some(hosted) = self.engine.hosted(tenant, &slot.actor.kind) {
                hosted.app.forget_actor(&slot.actor);
            }
        }
    }

    /// Starts what wakes actors and sends their events, once for each tenant that has some.
    pub fn start(&self, tenant: &Name) {
        if !self.engine.kinds(tenant).is_empty()
            && let Ok(space) = self.engine.space(tenant)
        {
            self.engine.start(&space);
        }
    }

    fn problem(&self, app: &App, kind: &Type, is_twice: bool) -> Option<Error> {
        let (id, name) = (app.id(), &kind.name);
        if let Err(error) = core::names::check("actor type", name) {
            return Some(error.map_message(|message| format!("app `{id}`: {message}")));
        }
        if is_twice {
            return Some(Error::invalid(format!(
                "app `{id}` has the actor type `{name}` twice"
            )));
        }
        if kind.idle.is_zero() {
            return Some(Error::invalid(format!(
                "app `{id}`: the idle time of actor type `{name}` is 0; expected at least 1 ms"
            )));
        }
        let other = self.engine.hosted(app.tenant(), &kind.name)?;
        let other = other.app.id();
        (other != app.id()).then(|| {
            Error::invalid(format!(
                "actor type `{name}` is of app `{other}` and of app `{id}`; expected one of them"
            ))
        })
    }

    /// Forgets every type: no app of this host has actors any more.
    pub(crate) fn clear(&self) {
        self.engine.clear();
    }

    /// Finds a turn that runs on this host, for a call that comes back from elsewhere.
    pub fn turn(&self, id: TurnId) -> Option<Inside> {
        self.engine.turns.find(id)
    }

    fn unknown(&self, tenant: &Name, kind: &str) -> Error {
        let known = self.engine.kinds(tenant);
        Error::not_found(format!(
            "no app of this host has the actor type `{kind}`; it has: {}",
            known.join(", ")
        ))
    }

    /// One turn; its answer comes when all of its changes are persisted.
    pub async fn invoke(
        &self,
        caller: &Call,
        kind: &str,
        id: &str,
        method: &str,
        data: Bytes,
    ) -> Result<Bytes> {
        let actor = Arc::new(Actor::new(caller.tenant(), kind, id)?);
        core::names::check_method(method)?;
        turn::check_data("the call", data.len())?;
        let what = format!("actor type `{kind}`");
        caller.require_grant(|grants| grants.actors(kind), &what, "actors", kind)?;
        let hosted = self.engine.hosted(caller.tenant(), kind);
        let hosted = hosted.ok_or_else(|| self.unknown(caller.tenant(), kind))?;
        caller.charge(data.len())?;
        let trigger = Trigger::Call(method.to_owned(), data);
        let answer = match hosted.target.guard(caller.app_id()) {
            None => {
                self.engine
                    .call(caller, &hosted, actor, trigger, None)
                    .await?
            }
            Some(guard) => {
                let asked = guarded::call(&self.engine, (&hosted, &guard), caller, actor, trigger);
                Box::pin(asked).await?
            }
        };
        caller.charge(answer.len())?;
        Ok(answer)
    }
}

impl Hosted {
    fn is_of(&self, app: &App) -> bool {
        self.app.id() == app.id()
    }
}

#[cfg(test)]
mod tests;
