//! One turn: what an actor reads, and what it wants to change, until the turn is over.

use super::{
    Inside, OUTERMOST,
    core::names::Actor,
    core::record::Outgoing,
    core::staged::{Memory, Staged, Value},
    store::rows,
    timers,
};
use crate::{
    Call, Error, Key, Kind, Permit, Result,
    pubsub::{Event, PubSub},
    random,
    state::{InternalStore, check_key, check_prefix},
};
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// Bytes of what a call hands over, and of its answer.
pub const MAX_DATA: usize = 4 << 20;
/// Keys of one answer.
const MAX_KEYS: usize = 10_000;
/// Keys asked for at once.
const PAGE: u32 = 1_000;

pub(super) struct Work {
    pub memory: Memory,
    pub staged: Staged,
    /// A share of the app's account, for what is staged.
    held: Option<Permit>,
    /// The innermost of the calls that run in this turn.
    frame: u32,
    is_over: bool,
}

/// One turn of one actor.
pub struct Turn {
    pub(super) number: u64,
    pub(super) actor: Arc<Actor>,
    pub(super) is_warm: bool,
    /// True if it called another actor, whose turn is kept whatever becomes of this one.
    pub(super) has_called: AtomicBool,
    /// True once the app's code was asked.
    has_begun: AtomicBool,
    pub(super) internal_store: InternalStore,
    /// Names of those that are there already.
    timers: BTreeSet<String>,
    pubsub: Arc<PubSub>,
    work: Mutex<Work>,
}

impl Turn {
    pub(super) fn new(
        actor: Arc<Actor>,
        is_warm: bool,
        internal_store: InternalStore,
        pubsub: Arc<PubSub>,
        memory: Memory,
        timers: BTreeSet<String>,
    ) -> Self {
        // Begun at random, so that the turns of two hosts have different numbers.
        static NUMBER: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(random::next()));
        Turn {
            number: NUMBER.fetch_add(1, Relaxed),
            actor,
            is_warm,
            has_called: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            internal_store,
            timers,
            pubsub,
            work: Mutex::new(Work {
                memory,
                staged: Staged::default(),
                held: None,
                frame: OUTERMOST,
                is_over: false,
            }),
        }
    }

    /// Notes that the app's code is asked.
    pub(crate) fn begin(&self) {
        self.has_begun.store(true, Relaxed);
    }

    /// Says whether the error is a refusal that came before the app's code was asked.
    pub(super) fn is_refused(&self, error: &Error) -> bool {
        let refused = matches!(error.kind(), Kind::Exhausted | Kind::Unavailable);
        refused && !self.has_begun.load(Relaxed)
    }

    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    pub async fn get(&self, caller: &Call, key: &str) -> Result<Option<Bytes>> {
        check_key(key)?;
        if let Some(known) = self.known(key)? {
            return Ok(known);
        }
        let entry = self
            .internal_store
            .get(caller, Key::new(rows::entry(&self.actor, ""), key))
            .await?;
        let value = entry.map(|entry| Value {
            bytes: entry.value,
            expires: entry.expires,
        });
        let live = value
            .as_ref()
            .and_then(|value| value.live(SystemTime::now()));
        self.work()?.memory.cache(key, value);
        Ok(live)
    }

    fn known(&self, key: &str) -> Result<Option<Option<Bytes>>> {
        let work = self.work()?;
        let staged = work.staged.entries.get(key).map(Option::as_ref);
        let known = staged.or_else(|| work.memory.entry(key));
        Ok(known.map(|value| value.and_then(|value| value.live(SystemTime::now()))))
    }

    pub fn put(&self, caller: &Call, key: &str, bytes: Bytes, ttl: Option<Duration>) -> Result<()> {
        check_key(key)?;
        let limit = self.internal_store.max_value();
        if bytes.len() as u64 > limit {
            let length = bytes.len();
            return Err(Error::invalid(format!(
                "the value of `{key}` has {length} bytes; an actor's has at most {limit}"
            )));
        }
        if ttl.is_some_and(|ttl| ttl.is_zero()) {
            return Err(Error::invalid("a ttl of 0; expected at least 1 ms"));
        }
        // A time that no clock can hold is as good as never.
        let expires = ttl.and_then(|ttl| SystemTime::now().checked_add(ttl));
        self.stage(caller, key.len() + bytes.len(), |staged| {
            staged.put(key, Some(Value { bytes, expires }))
        })
    }

    pub fn delete(&self, caller: &Call, key: &str) -> Result<()> {
        check_key(key)?;
        self.stage(caller, key.len(), |staged| staged.put(key, None))
    }

    pub async fn keys(&self, caller: &Call, prefix: &str) -> Result<Vec<String>> {
        check_prefix(prefix)?;
        let own = rows::entry(&self.actor, "");
        let start = format!("{own}{prefix}");
        let (mut keys, mut cursor) = (BTreeSet::new(), None::<String>);
        loop {
            let page = self
                .internal_store
                .list(caller, &start, cursor.as_deref(), PAGE)
                .await
                .map_err(|error| Key::new(&*own, "").plain(error))?;
            let found = page
                .entries
                .iter()
                .filter_map(|(key, _)| key.strip_prefix(&own));
            keys.extend(found.map(str::to_owned));
            if keys.len() > MAX_KEYS {
                return Err(Error::exhausted(format!(
                    "more than {MAX_KEYS} keys of actor `{}` start with `{prefix}`; ask for fewer",
                    self.actor
                )));
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let work = self.work()?;
        for (key, value) in work
            .staged
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
        {
            match value
                .as_ref()
                .and_then(|value| value.live(SystemTime::now()))
            {
                Some(_) => keys.insert(key.clone()),
                None => keys.remove(key),
            };
        }
        Ok(keys.into_iter().collect())
    }

    /// Grants and scopes are those of the app, as if it published now.
    pub fn publish(&self, caller: &Call, component: &str, topic: &str, event: Event) -> Result<()> {
        let opened = self.pubsub.open(caller, component, topic)?;
        opened.check(caller, &event)?;
        let trace = Some(caller.trace());
        let event = Event { trace, ..event };
        let row = Outgoing::new(caller.app_id().as_str(), component, topic, event);
        if rows::write(&row).len() as u64 > self.internal_store.max_value() {
            let limit = self.internal_store.max_value();
            return Err(Error::invalid(format!(
                "the event is too long to be kept until it is sent; a record has at most {limit} bytes"
            )));
        }
        // Here, where the app can be refused: what is sent later keeps its order.
        opened.count()?;
        self.stage(caller, row.data.0.len(), |staged| staged.send(row))
    }

    /// Changes what the turn wants, by so many bytes more at most; they are of the app's account until the turn is over.
    pub(super) fn stage(
        &self,
        caller: &Call,
        more: usize,
        change: impl FnOnce(&mut Staged),
    ) -> Result<()> {
        let mut work = self.work()?;
        let work = &mut *work;
        work.staged
            .check(more, self.internal_store.max_operations())?;
        match (&mut work.held, caller.account()) {
            (Some(held), _) => held.grow(more)?,
            (held, account) => *held = account.map(|account| account.take(more)).transpose()?,
        }
        change(&mut work.staged);
        // What was staged before under the same name is gone.
        let bytes = work.staged.bytes();
        if let Some(held) = &mut work.held {
            held.shrink(held.bytes().saturating_sub(bytes));
        }
        Ok(())
    }

    /// Checks that one more timer of this name is not one too many.
    pub(super) fn check_timer(&self, name: &str) -> Result<()> {
        timers::check(&self.timers, &self.work()?.staged.timers, name)
    }

    pub(super) fn work(&self) -> Result<MutexGuard<'_, Work>> {
        let work = self.lock();
        match work.is_over {
            false => Ok(work),
            true => Err(Error::denied(format!(
                "the turn of actor `{}` is over",
                self.actor
            ))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock()
    }

    /// A call from inside `frame` comes back to this turn: none where another one is in it already.
    pub(super) fn begin_frame(self: &Arc<Self>, frame: u32) -> Result<Option<Frame>> {
        let mut work = self.work()?;
        if work.frame != frame {
            return Ok(None);
        }
        work.frame += 1;
        Ok(Some(Frame {
            number: work.frame,
            before: Some(work.staged.clone()),
            turn: self.clone(),
        }))
    }

    /// Takes what was staged and remembered; from now on nothing can be staged.
    pub(super) fn end(&self) -> (Staged, Memory) {
        let mut work = self.lock();
        work.is_over = true;
        (
            std::mem::take(&mut work.staged),
            std::mem::take(&mut work.memory),
        )
    }
}

/// A call inside a turn. What it staged is undone when it is dropped, unless it was committed by [`Frame::commit`].
pub(super) struct Frame {
    pub number: u32,
    turn: Arc<Turn>,
    before: Option<Staged>,
}

impl Frame {
    pub(super) fn commit(mut self) {
        self.before = None;
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        let mut work = self.turn.lock();
        work.frame -= 1;
        if let Some(before) = self.before.take() {
            work.staged = before;
        }
    }
}

/// The turn that a guest runs in.
pub fn context(caller: &Call) -> Result<&Turn> {
    match caller.inside() {
        Some(Inside { turn, .. }) => Ok(turn),
        None => Err(Error::denied(format!(
            "app `{}` is not in a turn; the state of an actor is there only inside an actor's turn",
            caller.app_id()
        ))),
    }
}

pub(super) fn check_data(of: &str, length: usize) -> Result<()> {
    if length <= MAX_DATA {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the data of {of} has {length} bytes; expected at most {MAX_DATA}"
    )))
}
