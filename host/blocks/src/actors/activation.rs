//! Turns of an actor that is here: activated, run, persisted or undone.

use super::{
    Inside, OUTERMOST, Trigger,
    core::names::Actor,
    core::record::Meta,
    core::staged::{Memory, Staged},
    engine::{Cause, Engine, Hosted, Space, Why},
    persisting,
    slot::{Activation, Awake, TurnPermit},
    store::rows,
    timers::Timers,
    turn::{self, Turn},
};
use crate::{Error, Kind, Origin, Result, random};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The number of times that a turn that changed nothing is run while others own the actor.
const TRIES: usize = 3;

/// The ways in which a turn ends without being persisted.
enum Failure {
    /// It saw what is not so any more; nothing came of it, so it can be run again.
    Stale,
    Answer(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Answer(error)
    }
}

impl Engine {
    /// The whole of a turn, by the one who has the right to it. Its parts are boxed, so that none is large: what is
    /// allocated for a moment and freed on another thread leaves holes between what stays, unless it is small.
    pub(super) async fn turn(
        self: &Arc<Self>,
        permit: &TurnPermit,
        hosted: &Arc<Hosted>,
        cause: &Cause,
        why: &Why,
    ) -> Result<Bytes> {
        let actor = &permit.slot.actor;
        let space = self.space(&actor.tenant)?;
        for _ in 0..TRIES {
            let awake = permit.wake(cause.trace());
            // One that was not told to activate serves this turn alone.
            let is_bare = awake.is_none() && matches!(why, Why::GiveUp { .. });
            let mut activation = match (awake, why) {
                (Some(awake), _) => awake,
                // Both are for an activation that is over.
                (None, Why::Idle | Why::Timer { .. }) => return Ok(Bytes::new()),
                (None, _) => {
                    let activate = self.activate(&space, hosted, actor, cause, is_bare);
                    match Box::pin(activate).await {
                        Ok(activation) => activation,
                        Err(Failure::Stale) => continue,
                        Err(Failure::Answer(error)) => return Err(error),
                    }
                }
            };
            let run = self.run(&space, hosted, &mut activation, cause, why);
            match Box::pin(run).await {
                Ended::Well(answer) => {
                    permit.keep(activation, is_bare);
                    return Ok(answer);
                }
                Ended::Refused(error) => {
                    permit.keep(activation, is_bare);
                    return Err(error);
                }
                Ended::Undone(error) => {
                    // An instance that was kept may hold what was undone.
                    hosted.app.forget_actor(actor);
                    permit.keep(activation, is_bare);
                    return Err(error);
                }
                Ended::Over(answer) => {
                    hosted.app.forget_actor(actor);
                    return answer;
                }
                Ended::Stale => hosted.app.forget_actor(actor),
            }
        }
        Err(superseded(actor))
    }

    /// Reads the actor's record; the first write then replaces exactly that.
    async fn activate(
        self: &Arc<Self>,
        space: &Arc<Space>,
        hosted: &Arc<Hosted>,
        actor: &Arc<Actor>,
        cause: &Cause,
        is_bare: bool,
    ) -> Result<Awake, Failure> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let key = rows::meta(actor);
        let caller = space.caller(hosted.app.id(), cause.trace());
        let entry = Box::pin(space.internal_store.get(&caller, &key)).await?;
        let (meta, etag) = match entry {
            Some(entry) => (rows::read(&key, &entry.value)?, Some(entry.etag)),
            None => (Meta::new(u128::from_be_bytes(random::bytes()?)), None),
        };
        let activation = Activation {
            actor: actor.clone(),
            number: NUMBER.fetch_add(1, Relaxed),
            meta,
            etag,
            memory: Memory::new(space.remembered.clone()),
            timers: Timers::default(),
        };
        let mut activation = activation.awake(cause.trace());
        if hosted.kind.lifecycle && !is_bare {
            let trigger = Why::Trigger(Trigger::Activate);
            let cause = Cause::Trace(cause.trace());
            match Box::pin(self.run(space, hosted, &mut activation, &cause, &trigger)).await {
                Ended::Well(_) => {}
                Ended::Stale | Ended::Over(Ok(_)) => {
                    hosted.app.forget_actor(actor);
                    return Err(Failure::Stale);
                }
                Ended::Refused(error) | Ended::Undone(error) | Ended::Over(Err(error)) => {
                    hosted.app.forget_actor(actor);
                    return Err(Failure::Answer(error));
                }
            }
        }
        Ok(activation)
    }

    async fn run(
        self: &Arc<Self>,
        space: &Arc<Space>,
        hosted: &Arc<Hosted>,
        activation: &mut Awake,
        cause: &Cause,
        why: &Why,
    ) -> Ended {
        activation.trace = cause.trace();
        let memory = std::mem::take(&mut activation.memory);
        let (actor, warm) = (activation.actor.clone(), hosted.kind.warm);
        let turn = Turn::new(
            actor,
            warm,
            space.internal_store.clone(),
            self.pubsub.clone(),
            memory,
            activation.timers.names(),
        );
        let turn = Arc::new(turn);
        let answer = self.ask(space, hosted, activation, &turn, cause, why).await;
        let (staged, memory) = turn.end();
        activation.memory = memory;
        let ended = match answer {
            Ok(Some(answer)) => {
                Box::pin(self.persist(space, hosted, activation, staged, answer)).await
            }
            Ok(None) => self.nothing(space, hosted, activation, why).await,
            Err(error) if turn.is_refused(&error) => Ended::Refused(error),
            Err(error) => self.undo(space, hosted, activation, error).await,
        };
        match (ended, why) {
            (Ended::Stale, _) if turn.has_called.load(Relaxed) => {
                Ended::Over(Err(superseded(&activation.actor)))
            }
            (Ended::Well(answer), Why::Idle) => Ended::Over(Ok(answer)),
            // For want of room: the last turn comes again.
            (Ended::Undone(error), Why::Idle) if error.kind() != Kind::Exhausted => {
                Ended::Over(Err(error))
            }
            (ended, _) => ended,
        }
    }

    /// The app's part of a turn; none where the reason for the turn is no more.
    async fn ask(
        &self,
        space: &Space,
        hosted: &Hosted,
        activation: &mut Awake,
        turn: &Arc<Turn>,
        cause: &Cause,
        why: &Why,
    ) -> Result<Option<Bytes>> {
        if let Why::GiveUp { name, due } = why {
            let caller = space.caller(hosted.app.id(), activation.trace);
            let is_given_up = turn.give_up(&caller, name, *due).await?;
            return Ok(is_given_up.then(Bytes::new));
        }
        let Some(trigger) = trigger(space, hosted, activation, turn, why).await? else {
            return Ok(None);
        };
        let _holding = self.graph.hold(&activation.actor, turn.number);
        let _entered = self.turns.enter(turn);
        let inside = Inside {
            turn: turn.clone(),
            frame: OUTERMOST,
        };
        let origin = match cause {
            Cause::Call(from) => Origin::Call(from),
            // A reminder has the trace of the turn that set it.
            Cause::Host(trace) if *trace == activation.trace => Origin::Span(*trace),
            Cause::Trace(_) | Cause::Host(_) => Origin::Trace(activation.trace),
        };
        let answer = hosted.app.actor_turn(origin, inside, trigger).await?;
        turn::check_data("the answer", answer.len())?;
        Ok(Some(answer))
    }

    /// A turn that ended well: all of it in one transaction, or, where it changed nothing, the proof that what it saw
    /// was so.
    async fn persist(
        self: &Arc<Self>,
        space: &Arc<Space>,
        hosted: &Arc<Hosted>,
        activation: &mut Awake,
        mut staged: Staged,
        answer: Bytes,
    ) -> Ended {
        let timers = std::mem::take(&mut staged.timers);
        if staged.is_durable() {
            if let Err(error) = persisting::persist(space, hosted, activation, staged).await {
                return match error.kind() {
                    // For want of room nothing was written: the actor goes on as it was, with its timers.
                    Kind::Exhausted => self.undo(space, hosted, activation, error).await,
                    _ => Ended::Over(Err(error)),
                };
            }
        } else {
            match self.is_current(space, hosted, activation).await {
                Ok(true) => {}
                Ok(false) => return Ended::Stale,
                Err(error) => return Ended::Over(Err(error)),
            }
        }
        let Activation {
            actor,
            number,
            timers: set,
            ..
        } = &mut **activation;
        set.apply(self, actor, *number, timers);
        Ended::Well(answer)
    }

    /// Ends a turn that had nothing to do after all. The turn of a reminder rests on what was read, as any other does.
    async fn nothing(
        &self,
        space: &Space,
        hosted: &Hosted,
        activation: &Awake,
        why: &Why,
    ) -> Ended {
        if !matches!(why, Why::Reminder { .. } | Why::GiveUp { .. }) {
            return Ended::Well(Bytes::new());
        }
        match self.is_current(space, hosted, activation).await {
            Ok(true) => Ended::Well(Bytes::new()),
            Ok(false) => Ended::Stale,
            Err(error) => Ended::Over(Err(error)),
        }
    }

    /// A turn that failed. What its error says may rest on what was read, so that must have been so, too.
    async fn undo(
        &self,
        space: &Space,
        hosted: &Hosted,
        activation: &Awake,
        error: Error,
    ) -> Ended {
        match self.is_current(space, hosted, activation).await {
            Ok(false) => Ended::Stale,
            Ok(true) | Err(_) => Ended::Undone(error),
        }
    }

    /// Returns whether the actor's record is still the one that this activation holds.
    async fn is_current(&self, space: &Space, hosted: &Hosted, activation: &Awake) -> Result<bool> {
        let key = rows::meta(&activation.actor);
        let entry = space
            .internal_store
            .get(&space.caller(hosted.app.id(), activation.trace), &key)
            .await?;
        Ok(entry.map(|entry| entry.etag) == activation.etag)
    }
}

/// Returns what the app is asked; none where there is nothing to ask any more. An occurrence of a reminder goes on with
/// the trace of the turn that set it.
async fn trigger(
    space: &Space,
    hosted: &Hosted,
    activation: &mut Awake,
    turn: &Turn,
    why: &Why,
) -> Result<Option<Trigger>> {
    Ok(match why {
        Why::Trigger(trigger) => Some(trigger.clone()),
        Why::Idle => hosted.kind.lifecycle.then_some(Trigger::Deactivate),
        Why::Timer {
            activation: of,
            name,
            data,
        } => {
            let is_there = *of == activation.number && activation.timers.has(name);
            is_there.then(|| Trigger::Timer(name.clone(), data.clone()))
        }
        Why::Reminder { name, due } => {
            let caller = space.caller(hosted.app.id(), activation.trace);
            let reminder = turn.begin_occurrence(&caller, name, *due).await?;
            reminder.map(|reminder| {
                activation.trace = reminder.trace.unwrap_or(activation.trace);
                Trigger::Reminder(name.clone(), reminder.data.0)
            })
        }
        Why::GiveUp { .. } => None,
    })
}

/// The outcome of a turn and of its activation.
enum Ended {
    Well(Bytes),
    /// The app was not asked, for want of room: all is as it was, and the turn can come again.
    Refused(Error),
    /// The turn changed nothing; the activation goes on.
    Undone(Error),
    /// The activation is over.
    Over(Result<Bytes>),
    /// The activation is over, and the turn can be run again.
    Stale,
}

pub(super) fn superseded(actor: &Actor) -> Error {
    Error::conflict(format!(
        "another host took over actor `{actor}`; nothing of this turn is kept"
    ))
}
