//! The queue of a group in this process: one task receives for all of its members, one keeps what they have from others, and
//! a message waits on the shelf of its topic until a member of that topic takes it.

mod tasks;

use super::{entities::Entities, message};
use crate::{
    fault::Fault,
    queue::{Queue, Taken, is_absent},
};
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tasks::{hold, receive};
use tokio::{sync::Notify, task::JoinHandle, time::Instant};
use wythe_blocks::{Error, Result, pubsub::Message, time::Clock as _};

/// Messages on all shelves, from which on no more are received: the queue has the rest.
const SHELVED: usize = 100;

pub(super) struct Hub {
    pub entities: Arc<Entities>,
    /// The group's name, which is the queue's, and whether the group ends with its last member.
    pub group: String,
    pub is_passing: bool,
    queue: Mutex<Queue>,
    state: Mutex<State>,
    demand: Notify,
    /// Something came, or receiving has failed.
    pub arrival: Notify,
    is_over: AtomicBool,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// The subscriptions that end with a group that ends.
    subscriptions: Mutex<Vec<String>>,
}

#[derive(Default)]
struct State {
    shelves: HashMap<String, Shelf>,
    /// Deliveries that are with a member, by their numbers.
    out: HashMap<u64, Out>,
    last: u64,
}

/// Messages of a topic that nobody has yet.
#[derive(Default)]
struct Shelf {
    members: usize,
    /// Members that wait for a message.
    waiting: usize,
    ready: VecDeque<Held>,
    failed: Option<Error>,
}

impl State {
    /// Returns whether somebody waits before an empty shelf, while the others have room.
    fn is_wanted(&self, now: Instant) -> bool {
        let shelves = || self.shelves.values();
        let ready = shelves().flat_map(|shelf| &shelf.ready);
        ready.filter(|held| held.until > now).count() < SHELVED
            && shelves().any(|shelf| shelf.waiting > 0 && shelf.ready.is_empty())
    }
}

struct Held {
    message: Message,
    taken: Taken,
    /// The time until which no other one gets it.
    until: Instant,
}

struct Out {
    member: u64,
    handle: String,
}

/// A message that a member gets, with the number of its delivery.
pub(super) struct Given {
    pub number: u64,
    pub message: Message,
    pub attempt: u32,
}

impl Hub {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tasks belong to the hub, and end with the driver"
    )]
    pub fn start(
        entities: Arc<Entities>,
        group: String,
        is_passing: bool,
        queue: Queue,
    ) -> Arc<Self> {
        let hub = Arc::new(Hub {
            entities,
            group,
            is_passing,
            queue: Mutex::new(queue),
            state: Mutex::default(),
            demand: Notify::new(),
            arrival: Notify::new(),
            is_over: AtomicBool::new(false),
            tasks: Mutex::default(),
            subscriptions: Mutex::default(),
        });
        let tasks = [
            tokio::spawn(receive(hub.clone())),
            tokio::spawn(hold(hub.clone())),
        ];
        hub.tasks.lock().extend(tasks);
        hub
    }

    pub fn queue(&self) -> Queue {
        self.queue.lock().clone()
    }

    pub fn add_subscription(&self, subscription: Option<String>) {
        if self.is_passing {
            self.subscriptions.lock().extend(subscription);
        }
    }

    /// Returns whether it has no member.
    pub fn is_deserted(&self) -> bool {
        let state = self.state.lock();
        state.shelves.values().all(|shelf| shelf.members == 0)
    }

    /// Ends its tasks at once; what it has goes to others once its time is over.
    pub fn abort(&self) {
        self.is_over.store(true, Relaxed);
        self.arrival.notify_waiters();
        self.tasks.lock().iter().for_each(JoinHandle::abort);
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// A new member of a topic; the answer is its number.
    pub fn enter(&self, topic: &str) -> u64 {
        let mut state = self.state.lock();
        state.last += 1;
        let number = state.last;
        state.shelves.entry(topic.to_owned()).or_default().members += 1;
        number
    }

    /// Takes a member out. The answer has what it had, to be given back.
    pub fn leave(&self, topic: &str, member: u64) -> Vec<String> {
        let mut state = self.state.lock();
        let mine = state.out.extract_if(|_, out| out.member == member);
        let mut handles: Vec<_> = mine.map(|(_, out)| out.handle).collect();
        if let Some(shelf) = state.shelves.get_mut(topic) {
            shelf.members -= 1;
            if shelf.members == 0 {
                let ready = std::mem::take(&mut shelf.ready);
                handles.extend(ready.into_iter().map(|held| held.taken.handle));
            }
        }
        // There may be room for others now.
        self.demand.notify_one();
        handles
    }

    /// The topics that have members, or had.
    fn topics(&self) -> Vec<String> {
        self.state.lock().shelves.keys().cloned().collect()
    }

    /// Messages for a member, up to so many; an error where receiving has failed.
    pub fn give(&self, topic: &str, member: u64, limit: usize) -> Result<Vec<Given>> {
        let now = Instant::now();
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(shelf) = state.shelves.get_mut(topic) else {
            return Ok(Vec::new());
        };
        let mut given = Vec::new();
        while given.len() < limit.max(1)
            && let Some(held) = shelf.ready.pop_front()
        {
            // Whoever was not heard of for so long has lost it.
            if held.until <= now {
                continue;
            }
            state.last += 1;
            let handle = held.taken.handle;
            state.out.insert(state.last, Out { member, handle });
            given.push(Given {
                number: state.last,
                message: held.message,
                attempt: held.taken.attempts,
            });
        }
        match shelf.failed.take().filter(|_| given.is_empty()) {
            Some(error) => Err(error),
            None => Ok(given),
        }
    }

    /// Waits in line while the guard lives: as long as somebody does before an empty shelf, messages are received.
    pub fn wait(self: &Arc<Self>, topic: &str) -> Waiting {
        if let Some(shelf) = self.state.lock().shelves.get_mut(topic) {
            shelf.waiting += 1;
        }
        self.demand.notify_one();
        Waiting(self.clone(), topic.to_owned())
    }

    /// Asks for messages, if somebody waits before an empty shelf.
    pub fn ask(&self) {
        self.demand.notify_one();
    }

    /// The deliveries of these numbers that the member has, each once.
    pub fn of(&self, member: u64, numbers: &[Option<u64>]) -> Vec<Option<String>> {
        let state = self.state.lock();
        let mut seen = std::collections::HashSet::new();
        let mut find = |number: &u64| {
            let out = state.out.get(number)?;
            (out.member == member && seen.insert(*number)).then(|| out.handle.clone())
        };
        numbers
            .iter()
            .map(|number| find(number.as_ref()?))
            .collect()
    }

    pub fn forget(&self, number: u64) {
        self.state.lock().out.remove(&number);
    }

    /// Puts what came on its shelf. The answer has what nobody here wants.
    fn add(&self, taken: Vec<Taken>) -> Vec<String> {
        let now = Instant::now();
        let until = now.after(self.entities.settings.hidden);
        let mut strange = Vec::new();
        let mut state = self.state.lock();
        for shelf in state.shelves.values_mut() {
            shelf.ready.retain(|held| held.until > now);
        }
        for one in taken {
            let (topic, message) = message::received(&one.body);
            let only = || {
                let mut shelves = state.shelves.keys();
                let first = shelves.next().cloned();
                first.filter(|_| shelves.next().is_none())
            };
            let topic = topic.or_else(only).unwrap_or_default();
            match state
                .shelves
                .get_mut(&topic)
                .filter(|shelf| shelf.members > 0)
            {
                None => strange.push(one.handle),
                Some(shelf) => shelf.ready.push_back(Held {
                    message,
                    taken: Taken {
                        body: String::new(),
                        ..one
                    },
                    until,
                }),
            }
        }
        strange
    }

    fn fail(&self, error: &Error) {
        let mut state = self.state.lock();
        let shelves = state.shelves.values_mut();
        // Whoever comes later asks anew.
        for shelf in shelves.filter(|shelf| shelf.waiting > 0) {
            shelf.failed = Some(error.duplicate());
        }
    }

    fn is_wanted(&self) -> bool {
        self.state.lock().is_wanted(Instant::now())
    }

    /// Everything that members and shelves have.
    fn all(&self) -> Vec<String> {
        let state = self.state.lock();
        let out = state.out.values().map(|out| &out.handle);
        let shelves = state.shelves.values().flat_map(|shelf| &shelf.ready);
        let ready = shelves.map(|held| &held.taken.handle);
        out.chain(ready).cloned().collect()
    }

    /// Makes a queue anew that is gone, with what leads to it.
    async fn renew(&self) -> Result<()> {
        let queue = self.entities.queue(&self.group, self.is_passing).await?;
        for topic in self.topics() {
            self.add_subscription(self.entities.connect(&topic, &queue).await?);
        }
        *self.queue.lock() = queue;
        Ok(())
    }

    /// Ends: gives back what it has, once the task that receives is through.
    pub async fn end(&self) {
        if self.is_over.swap(true, Relaxed) {
            return;
        }
        self.demand.notify_one();
        self.arrival.notify_waiters();
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        if let Some(hold) = tasks.pop() {
            hold.abort();
        }
        for task in tasks {
            // It waits for one answer of the service, which has its time.
            let _ = task.await;
        }
        let handles = self.all();
        self.give_back(handles).await;
        if self.is_passing {
            self.remove().await;
        }
    }

    /// Removes the queue of a group that has ended, and what leads to it.
    async fn remove(&self) {
        let subscriptions = std::mem::take(&mut *self.subscriptions.lock());
        for subscription in subscriptions {
            if let Err(error) = self.entities.disconnect(&subscription).await {
                tracing::warn!(subscription, "it is left behind: {}", error.chain());
            }
        }
        if let Err(fault) = self.queue().remove().await
            && !is_absent(&fault)
        {
            self.report(fault);
        }
    }

    /// Gives messages back; where that fails, others get them a little later.
    pub async fn give_back(&self, handles: Vec<String>) {
        if !handles.is_empty()
            && let Err(fault) = self.queue().hide(&handles, Duration::ZERO).await
        {
            self.report(fault);
        }
    }

    fn report(&self, fault: Fault) {
        let error = fault.of_read("the queue");
        tracing::warn!(
            group = self.group,
            "its messages go to others after `messageVisibilityTimeout`: {}",
            error.chain()
        );
    }
}

/// The place of a member in the line of those that wait.
pub(super) struct Waiting(Arc<Hub>, String);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(shelf) = self.0.state.lock().shelves.get_mut(&self.1) {
            shelf.waiting -= 1;
        }
        // Others may still wait before the shelf that is empty now.
        self.0.demand.notify_one();
    }
}

#[cfg(test)]
mod tests;
