//! The queue itself: per topic and group what waits and what is out. Knows no clock; each call is told the time.
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use wythe_sdk::plugin::pubsub::{Delivery, Message};
use wythe_sdk::{Error, Kind, Result};

pub const MAX_MESSAGE_BYTES: usize = 4 << 20;
/// A pull ends behind the message that reaches this, since it is a copy of what is here already.
const PULL_BYTES: usize = 4 << 20;
/// The time after which a publisher may ask again whether there is room.
const FULL: Duration = Duration::from_secs(1);

pub struct Queue {
    max_messages: usize,
    max_bytes: usize,
    /// Messages that any group still wants; each counts once.
    messages: usize,
    bytes: usize,
    groups: BTreeMap<Name, Group>,
    subscriptions: BTreeMap<u64, Name>,
    counter: u64,
}

/// Topic and group.
type Name = (String, String);

#[derive(Default)]
struct Group {
    /// The messages that wait, by the order of publishing.
    waiting: BTreeMap<u64, Waiting>,
    /// The messages that a subscriber has, by receipt.
    out: BTreeMap<u64, Out>,
    /// Ends with its last subscription.
    is_ephemeral: bool,
}

struct Waiting {
    message: Rc<Message>,
    attempt: u32,
    visible: u64,
}

struct Out {
    position: u64,
    message: Rc<Message>,
    attempt: u32,
    subscription: u64,
}

impl Queue {
    pub fn new(max_messages: usize, max_bytes: usize) -> Self {
        Self {
            max_messages,
            max_bytes,
            messages: 0,
            bytes: 0,
            groups: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            counter: 0,
        }
    }

    pub fn publish(&mut self, topic: &str, message: Message, now: u64) -> Result<()> {
        if message.data.len() > MAX_MESSAGE_BYTES {
            let text = format!("a message has at most {MAX_MESSAGE_BYTES} bytes");
            return Err(Error::invalid(text));
        }
        let position = self.next();
        let of_topic = self
            .groups
            .iter_mut()
            .filter(|((name, _), _)| name == topic);
        let groups: Vec<_> = of_topic.map(|(_, group)| group).collect();
        // What nobody wants needs no room.
        if groups.is_empty() {
            return Ok(());
        }
        let size = weight(&message);
        if self.messages == self.max_messages || self.bytes + size > self.max_bytes {
            let held = format!("the queue is full with {} messages", self.messages);
            return Err(Error::new(Kind::Exhausted, held).with_retry_after(FULL));
        }
        self.messages += 1;
        self.bytes += size;
        let visible = now.saturating_add(message.delay.unwrap_or(0));
        let message = Rc::new(message);
        for group in groups {
            let waiting = Waiting {
                message: Rc::clone(&message),
                attempt: 1,
                visible,
            };
            group.waiting.insert(position, waiting);
        }
        Ok(())
    }

    /// A group is there from its first subscription on, and keeps its messages while nobody pulls.
    pub fn subscribe(&mut self, topic: &str, group: &str, is_ephemeral: bool) -> u64 {
        let name = (topic.to_owned(), group.to_owned());
        let new = || Group {
            is_ephemeral,
            ..Group::default()
        };
        self.groups.entry(name.clone()).or_insert_with(new);
        let id = self.next();
        self.subscriptions.insert(id, name);
        id
    }

    pub fn pull(&mut self, subscription: u64, max: usize, now: u64) -> Result<Vec<Delivery>> {
        let Self {
            groups,
            subscriptions,
            counter,
            ..
        } = self;
        let group = group_of(groups, subscriptions, subscription)?;
        let ready = group.ready(max, now);
        let deliver = |position| {
            let Waiting {
                message, attempt, ..
            } = group.waiting.remove(&position)?;
            *counter += 1;
            let delivery = Delivery {
                message: Message::clone(&message),
                attempt,
                receipt: counter.to_be_bytes().to_vec(),
            };
            group.out.insert(
                *counter,
                Out {
                    position,
                    message,
                    attempt,
                    subscription,
                },
            );
            Some(delivery)
        };
        Ok(ready.into_iter().filter_map(deliver).collect())
    }

    pub fn ack(&mut self, subscription: u64, receipt: &[u8]) -> Result<()> {
        let group = group_of(&mut self.groups, &self.subscriptions, subscription)?;
        let out = group.take(receipt)?;
        self.forget(out.message);
        Ok(())
    }

    pub fn nack(&mut self, subscription: u64, receipt: &[u8], visible: u64) -> Result<()> {
        let group = group_of(&mut self.groups, &self.subscriptions, subscription)?;
        let out = group.take(receipt)?;
        group.put_back(out, visible);
        Ok(())
    }

    /// Ends a subscription: what this subscriber had and did not answer for is for the others of its group.
    pub fn unsubscribe(&mut self, subscription: u64) {
        let Some(name) = self.subscriptions.remove(&subscription) else {
            return;
        };
        let Some(group) = self.groups.get_mut(&name) else {
            return;
        };
        let left = group
            .out
            .extract_if(.., |_, out| out.subscription == subscription);
        let left: Vec<_> = left.map(|(_, out)| out).collect();
        left.into_iter().for_each(|out| group.put_back(out, 0));
        if group.is_ephemeral && !self.subscriptions.values().any(|other| *other == name) {
            let gone = std::mem::take(&mut group.waiting);
            self.groups.remove(&name);
            gone.into_values()
                .for_each(|waiting| self.forget(waiting.message));
        }
    }

    /// One group is done with it; the last one makes room.
    fn forget(&mut self, message: Rc<Message>) {
        if let Some(message) = Rc::into_inner(message) {
            self.messages -= 1;
            self.bytes -= weight(&message);
        }
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

impl Group {
    /// Positions of messages to deliver now. A message waits while an earlier one of its key is out or waits itself.
    fn ready(&self, max: usize, now: u64) -> Vec<u64> {
        let mut taken: BTreeSet<&str> = self
            .out
            .values()
            .filter_map(|out| out.message.ordering_key.as_deref())
            .collect();
        let (mut ready, mut bytes) = (Vec::new(), 0);
        for (position, waiting) in &self.waiting {
            if ready.len() == max || bytes >= PULL_BYTES {
                break;
            }
            let is_first = waiting
                .message
                .ordering_key
                .as_deref()
                .is_none_or(|key| taken.insert(key));
            if is_first && waiting.visible <= now {
                ready.push(*position);
                bytes += waiting.message.data.len();
            }
        }
        ready
    }

    fn take(&mut self, receipt: &[u8]) -> Result<Out> {
        let number = receipt.try_into().ok().map(u64::from_be_bytes);
        let out = number.and_then(|number| self.out.remove(&number));
        out.ok_or_else(|| Error::not_found("no delivery that is out has this receipt"))
    }

    fn put_back(&mut self, out: Out, visible: u64) {
        let attempt = out.attempt.saturating_add(1);
        self.waiting.insert(
            out.position,
            Waiting {
                message: out.message,
                attempt,
                visible,
            },
        );
    }
}

fn group_of<'a>(
    groups: &'a mut BTreeMap<Name, Group>,
    subscriptions: &BTreeMap<u64, Name>,
    subscription: u64,
) -> Result<&'a mut Group> {
    let group = subscriptions
        .get(&subscription)
        .and_then(|name| groups.get_mut(name));
    group.ok_or_else(|| Error::not_found(format!("there is no subscription {subscription}")))
}

/// Bytes of a message, with something for what surrounds the data.
fn weight(message: &Message) -> usize {
    let attributes: usize = message
        .attributes
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    message.data.len() + attributes + 256
}

#[cfg(test)]
mod tests;
