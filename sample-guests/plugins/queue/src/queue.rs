//! The queue itself: per topic and group what waits and what is out. Knows no clock; each call is told the time.
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use wythe_sdk::plugin::pubsub::{Delivery, Message};
use wythe_sdk::{Error, Kind, Result};

pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

pub struct Queue {
    max_bytes: usize,
    /// Held for all groups; a message for two groups counts twice, since each may keep it.
    bytes: usize,
    /// By topic and group.
    groups: BTreeMap<(String, String), Group>,
    subscriptions: BTreeMap<u64, (String, String)>,
    counter: u64,
}

#[derive(Default)]
struct Group {
    /// By the order of publishing.
    waiting: BTreeMap<u64, Waiting>,
    /// By receipt.
    out: BTreeMap<u64, Out>,
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
    pub fn new(max_bytes: usize) -> Self {
        let (groups, subscriptions) = (BTreeMap::new(), BTreeMap::new());
        Self {
            max_bytes,
            bytes: 0,
            groups,
            subscriptions,
            counter: 0,
        }
    }

    pub fn publish(&mut self, topic: &str, message: Message, now: u64) -> Result<()> {
        if message.data.len() > MAX_MESSAGE_BYTES {
            return Err(Error::invalid(format!(
                "a message has at most {MAX_MESSAGE_BYTES} bytes"
            )));
        }
        let position = self.next();
        let of_topic = self
            .groups
            .iter_mut()
            .filter(|((name, _), _)| name == topic);
        let groups: Vec<_> = of_topic.map(|(_, group)| group).collect();
        let size = weight(&message) * groups.len();
        if self.bytes + size > self.max_bytes {
            let held = format!(
                "the queue holds {} bytes and takes no more than {}",
                self.bytes, self.max_bytes
            );
            return Err(Error::new(Kind::Exhausted, held));
        }
        self.bytes += size;
        let visible = now.saturating_add(message.delay.unwrap_or(0));
        let message = Rc::new(message);
        for group in groups {
            group.waiting.insert(
                position,
                Waiting {
                    message: Rc::clone(&message),
                    attempt: 1,
                    visible,
                },
            );
        }
        Ok(())
    }

    /// A group is there from its first subscription on, and keeps its messages while nobody pulls.
    pub fn subscribe(&mut self, topic: &str, group: &str) -> u64 {
        let name = (topic.to_owned(), group.to_owned());
        self.groups.entry(name.clone()).or_default();
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
        self.bytes -= weight(&out.message);
        Ok(())
    }

    pub fn nack(&mut self, subscription: u64, receipt: &[u8], visible: u64) -> Result<()> {
        let group = group_of(&mut self.groups, &self.subscriptions, subscription)?;
        let out = group.take(receipt)?;
        group.put_back(out, visible);
        Ok(())
    }

    /// What this subscriber had and did not answer for is for the others of its group.
    pub fn unsubscribe(&mut self, subscription: u64) {
        let Ok(group) = group_of(&mut self.groups, &self.subscriptions, subscription) else {
            return;
        };
        let left = group
            .out
            .extract_if(.., |_, out| out.subscription == subscription);
        let left: Vec<_> = left.map(|(_, out)| out).collect();
        left.into_iter().for_each(|out| group.put_back(out, 0));
        self.subscriptions.remove(&subscription);
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
        let mut ready = Vec::new();
        for (position, waiting) in &self.waiting {
            if ready.len() == max {
                break;
            }
            let is_first = waiting
                .message
                .ordering_key
                .as_deref()
                .is_none_or(|key| taken.insert(key));
            if is_first && waiting.visible <= now {
                ready.push(*position);
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
    groups: &'a mut BTreeMap<(String, String), Group>,
    subscriptions: &BTreeMap<u64, (String, String)>,
    subscription: u64,
) -> Result<&'a mut Group> {
    let group = subscriptions
        .get(&subscription)
        .and_then(|name| groups.get_mut(name));
    group.ok_or_else(|| Error::not_found(format!("there is no subscription {subscription}")))
}

/// With something for what surrounds the data.
fn weight(message: &Message) -> usize {
    let attributes: usize = message
        .attributes
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    message.data.len() + attributes + 256
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: &str, key: Option<&str>) -> Message {
        Message {
            data: data.into(),
            content_type: "text/plain".to_owned(),
            ordering_key: key.map(str::to_owned),
            attributes: Vec::new(),
            delay: None,
        }
    }

    fn texts(deliveries: &[Delivery]) -> Vec<&str> {
        deliveries
            .iter()
            .map(|delivery| std::str::from_utf8(&delivery.message.data).unwrap())
            .collect()
    }

    #[test]
    fn each_group_gets_each_message_once() {
        let mut queue = Queue::new(1 << 20);
        queue.publish("t", message("too early", None), 0).unwrap();
        let (a1, a2, b) = (
            queue.subscribe("t", "a"),
            queue.subscribe("t", "a"),
            queue.subscribe("t", "b"),
        );
        for text in ["1", "2", "3"] {
            queue.publish("t", message(text, None), 0).unwrap();
        }
        queue.publish("other", message("4", None), 0).unwrap();
        assert_eq!(texts(&queue.pull(a1, 2, 0).unwrap()), ["1", "2"]);
        assert_eq!(texts(&queue.pull(a2, 9, 0).unwrap()), ["3"]);
        assert_eq!(texts(&queue.pull(b, 9, 0).unwrap()), ["1", "2", "3"]);
        assert!(queue.pull(a1, 9, 0).unwrap().is_empty());
    }

    #[test]
    fn a_refused_message_comes_again_later_with_a_higher_attempt() {
        let mut queue = Queue::new(1 << 20);
        let id = queue.subscribe("t", "g");
        queue.publish("t", message("1", None), 0).unwrap();
        let first = queue.pull(id, 9, 0).unwrap();
        queue.nack(id, &first[0].receipt, 50).unwrap();
        assert!(queue.pull(id, 9, 49).unwrap().is_empty());
        let second = queue.pull(id, 9, 50).unwrap();
        assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
        assert_eq!(
            queue.ack(id, &first[0].receipt).unwrap_err().kind(),
            Kind::NotFound
        );
        queue.ack(id, &second[0].receipt).unwrap();
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn equal_keys_come_one_after_another() {
        let mut queue = Queue::new(1 << 20);
        let id = queue.subscribe("t", "g");
        for (text, key) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")] {
            queue.publish("t", message(text, Some(key)), 0).unwrap();
        }
        let first = queue.pull(id, 9, 0).unwrap();
        assert_eq!(texts(&first), ["a1", "b1"]);
        queue.nack(id, &first[0].receipt, 10).unwrap();
        assert!(queue.pull(id, 9, 5).unwrap().is_empty());
        let again = queue.pull(id, 9, 10).unwrap();
        assert_eq!(texts(&again), ["a1"]);
        queue.ack(id, &again[0].receipt).unwrap();
        assert_eq!(texts(&queue.pull(id, 9, 10).unwrap()), ["a2"]);
    }

    #[test]
    fn what_a_subscriber_leaves_behind_others_get() {
        let mut queue = Queue::new(1 << 20);
        let (gone, stays) = (queue.subscribe("t", "g"), queue.subscribe("t", "g"));
        queue.publish("t", message("1", None), 0).unwrap();
        queue.pull(gone, 9, 0).unwrap();
        queue.unsubscribe(gone);
        assert_eq!(queue.pull(stays, 9, 0).unwrap()[0].attempt, 2);
        assert_eq!(queue.pull(gone, 9, 0).unwrap_err().kind(), Kind::NotFound);
    }

    #[test]
    fn is_delayed_and_bounded() {
        let mut queue = Queue::new(600);
        let id = queue.subscribe("t", "g");
        let delayed = Message {
            delay: Some(100),
            ..message("later", None)
        };
        queue.publish("t", delayed, 0).unwrap();
        queue.publish("t", message("now", None), 0).unwrap();
        assert_eq!(
            queue
                .publish("t", message("more", None), 0)
                .unwrap_err()
                .kind(),
            Kind::Exhausted
        );
        assert_eq!(texts(&queue.pull(id, 9, 99).unwrap()), ["now"]);
        assert_eq!(texts(&queue.pull(id, 9, 100).unwrap()), ["later"]);
    }
}
