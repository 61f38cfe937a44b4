//! The messages that a member of a group has: those that wait for somebody who pulls, those that are out, and those that
//! come again later.

use super::{
    PASSING,
    message::{Id, Incoming, text},
    scripts,
};
use crate::{
    client::Client,
    failure::{Effect, parts},
    settings::Streams,
};
use async_trait::async_trait;
use parking_lot::Mutex;
use redis::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use wythe_blocks::{
    Error, Result,
    pubsub::{Leave, Message, Receipt, Received},
    time::Clock as _,
};

pub(super) struct Desk {
    pub client: Arc<Client>,
    pub settings: Streams,
    pub stream: String,
    pub group: String,
    pub name: String,
    state: Mutex<State>,
    /// Somebody pulls, and there is room.
    pub demand: Notify,
    /// Something came, or reading has failed.
    pub arrival: Notify,
    has_left: AtomicBool,
}

#[derive(Default)]
struct State {
    held: BTreeMap<Id, Held>,
    /// The number that somebody waits for.
    wanted: usize,
    /// The number of the last delivery.
    serial: u64,
    failed: Option<Error>,
}

struct Held {
    message: Message,
    /// Deliveries, the next one included where it is not out.
    attempt: u32,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ready,
    Out(u64),
    Later(Instant),
}

impl Held {
    fn is_due(&self, now: Instant) -> bool {
        match self.stage {
            Stage::Ready => true,
            Stage::Out(_) => false,
            Stage::Later(due) => due <= now,
        }
    }
}

impl Desk {
    pub fn new(
        client: Arc<Client>,
        settings: Streams,
        stream: String,
        group: String,
        name: String,
    ) -> Self {
        Desk {
            client,
            settings,
            stream,
            group,
            name,
            state: Mutex::default(),
            demand: Notify::new(),
            arrival: Notify::new(),
            has_left: AtomicBool::new(false),
        }
    }

    fn about(&self) -> String {
        format!("the group of `{}`", self.stream)
    }

    /// True as scripts take it for a group that ends with its last member.
    fn passing(&self) -> String {
        u8::from(self.group.ends_with(PASSING)).to_string()
    }

    /// Makes the member known, so that a passing group lives as long as it does. A group that is not there begins at
    /// `from`: `$` for what comes from now on, `0` for all that is there.
    pub async fn enter(&self, from: &str) -> Result<()> {
        let (group, name) = (self.group.clone(), self.name.clone());
        let arguments = [group, self.passing(), name, from.to_owned()];
        let call = scripts::call(&self.stream, arguments);
        let about = self.about();
        let entered = self
            .client
            .run(Effect::Write, &about, &scripts::JOIN, &call);
        entered.await.map(drop)
    }

    /// The number of messages that are wanted now, and fit.
    pub fn room(&self) -> usize {
        let state = self.state.lock();
        let room = self.settings.at_once.saturating_sub(state.held.len());
        room.min(state.wanted)
    }

    /// Takes what came. Those that the member has already are only late answers.
    pub fn add(&self, incoming: Vec<Incoming>) {
        if incoming.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        for one in incoming {
            let held = Held {
                message: one.message,
                attempt: one.attempts,
                stage: Stage::Ready,
            };
            state.held.entry(one.id).or_insert(held);
        }
        state.wanted = 0;
        drop(state);
        self.arrival.notify_one();
    }

    pub fn fail(&self, error: Error) {
        self.state.lock().failed = Some(error);
        self.arrival.notify_one();
    }

    /// Says how many are wanted, or why none come, and when the next one comes again.
    pub fn want(&self, count: usize) -> Result<Option<Instant>> {
        let mut state = self.state.lock();
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        state.wanted = count.min(self.settings.read);
        let later = state.held.values().filter_map(|held| match held.stage {
            Stage::Later(due) => Some(due),
            _ => None,
        });
        let next = later.min();
        drop(state);
        self.demand.notify_one();
        Ok(next)
    }

    /// The messages that can be given out, and of those that come again the deliveries so far.
    pub fn ready(&self, count: usize) -> Vec<(Id, Option<u32>)> {
        let (state, now) = (self.state.lock(), Instant::now());
        let due = state.held.iter().filter(|(_, held)| held.is_due(now));
        let due = due.map(|(id, held)| match held.stage {
            Stage::Ready => (*id, None),
            _ => (*id, Some(held.attempt)),
        });
        due.take(count).collect()
    }

    /// Gives messages out.
    pub fn give(&self, ids: &[Id]) -> Vec<Received> {
        let state = &mut *self.state.lock();
        let mut given = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(held) = state.held.get_mut(id) else {
                continue;
            };
            state.serial += 1;
            held.stage = Stage::Out(state.serial);
            given.push(Received {
                message: held.message.clone(),
                attempt: held.attempt,
                receipt: receipt(&self.name, *id, state.serial),
            });
        }
        given
    }

    /// The message of a receipt that is out.
    pub fn of(&self, receipt: &[u8]) -> Result<Id> {
        let missing = || Error::not_found("the delivery is settled, or another one's");
        let text = std::str::from_utf8(receipt).map_err(|_| missing())?;
        let mut parts = text.split(' ');
        let name = parts.next();
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let (Some(time), Some(count), Some(serial)) = (number(), number(), number()) else {
            return Err(missing());
        };
        let (id, state) = ((time, count), self.state.lock());
        let held = state.held.get(&id);
        let is_out = held.is_some_and(|held| held.stage == Stage::Out(serial));
        match is_out && name == Some(self.name.as_str()) {
            true => Ok(id),
            false => Err(missing()),
        }
    }

    /// Forgets a message.
    pub fn forget(&self, id: Id) {
        self.state.lock().held.remove(&id);
        self.demand.notify_one();
    }

    /// Has a message come again.
    pub fn postpone(&self, id: Id, delay: Duration) {
        if let Some(held) = self.state.lock().held.get_mut(&id) {
            held.attempt = held.attempt.saturating_add(1);
            held.stage = Stage::Later(Instant::now().after(delay));
        }
        self.arrival.notify_one();
    }

    /// Tells the server that these are still here; those that went to another member are forgotten.
    pub async fn hold(&self, ids: &[(Id, Option<u32>)]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let pairs = ids.iter().flat_map(|(id, count)| {
            let count = count.map_or(String::new(), |count| count.to_string());
            [text(*id), count]
        });
        let own = [self.group.clone(), self.name.clone()];
        let call = scripts::call(&self.stream, own.into_iter().chain(pairs));
        let about = self.about();
        let answer = self.client.run(Effect::Read, &about, &scripts::HOLD, &call);
        let answers = parts(answer.await?)?;
        let lost = answers.iter().zip(ids);
        for (_, (id, _)) in lost.filter(|(answer, _)| **answer == Value::Int(0)) {
            self.forget(*id);
        }
        Ok(())
    }

    /// All messages that the member has.
    pub fn all(&self) -> Vec<(Id, Option<u32>)> {
        let state = self.state.lock();
        state.held.keys().map(|id| (*id, None)).collect()
    }
}

#[async_trait]
impl Leave for Desk {
    fn has_left(&self) -> bool {
        self.has_left.load(Relaxed)
    }

    async fn leave(&self) -> Result<()> {
        if self.has_left.swap(true, Relaxed) {
            return Ok(());
        }
        self.arrival.notify_one();
        self.state.lock().held.clear();
        let (group, name) = (self.group.clone(), self.name.clone());
        let call = scripts::call(&self.stream, [group, name, self.passing()]);
        let about = self.about();
        let left = self
            .client
            .run(Effect::Write, &about, &scripts::LEAVE, &call);
        left.await.map(drop)
    }

    fn report(&self, error: &Error) {
        tracing::warn!(
            topic = self.stream,
            "its messages go to others after `processingTimeout`: {}",
            error.chain()
        );
    }
}

fn receipt(name: &str, id: Id, serial: u64) -> Receipt {
    format!("{name} {} {} {serial}", id.0, id.1).into_bytes()
}
