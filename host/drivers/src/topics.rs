//! Which groups want the messages of which topic, and how many messages somebody still wants.

use crate::queue::Queue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use wythe_blocks::{Error, Result};

/// Messages of a component that somebody still wants; by default.
pub(crate) const MAX_BACKLOG: u64 = 1_000_000;
const RETRY_AFTER: Duration = Duration::from_secs(1);

pub(crate) struct Group {
    pub number: u64,
    /// Ends with its last seat and is never stored.
    pub ephemeral: bool,
    pub queue: Queue,
}

impl Group {
    fn is_over(&self) -> bool {
        self.ephemeral && self.queue.is_deserted()
    }
}

pub(crate) struct Topics {
    topics: HashMap<String, BTreeMap<String, Arc<Group>>>,
    /// How many groups want each message.
    wanted: HashMap<u64, usize>,
    next_sequence: u64,
    next_group: u64,
    limit: u64,
}

/// A seat of a group, counted before anybody else can see the group.
pub(crate) struct Joined {
    pub group: Arc<Group>,
    pub seat: u64,
    /// Whether the group was there before.
    pub known: bool,
}

impl Topics {
    pub(crate) fn new(limit: u64) -> Self {
        Topics {
            topics: HashMap::new(),
            wanted: HashMap::new(),
            next_sequence: 1,
            next_group: 1,
            limit,
        }
    }

    /// Takes a seat in a group, which is made if it is not there.
    pub(crate) fn join(&mut self, topic: &str, name: &str, ephemeral: bool) -> Result<Joined> {
        self.remove_deserted();
        let found = self
            .topics
            .get(topic)
            .and_then(|groups| groups.get(name))
            .cloned();
        let known = found.is_some();
        let group = match found {
            Some(group) if group.ephemeral && !ephemeral => {
                return Err(Error::conflict(format!(
                    "group `{name}` of topic `{topic}` is in use as an ephemeral one; expected another name"
                )));
            }
            Some(group) => group,
            None => self.restore(topic, name, self.next_group, ephemeral),
        };
        let seat = group.queue.sit();
        Ok(Joined { group, seat, known })
    }

    /// Forgets the counts of messages, to be counted again as the store has them; groups and their seats stay.
    pub(crate) fn recount(&mut self) {
        self.wanted.clear();
        for group in self.topics.values().flat_map(BTreeMap::values) {
            if group.ephemeral {
                for sequence in group.queue.sequences() {
                    *self.wanted.entry(sequence).or_default() += 1;
                }
            }
        }
    }

    /// A group with a number that it had before, or the one that is there with it.
    pub(crate) fn restore(
        &mut self,
        topic: &str,
        name: &str,
        number: u64,
        ephemeral: bool,
    ) -> Arc<Group> {
        self.next_group = self.next_group.max(number + 1);
        let there = self.topics.get(topic).and_then(|groups| groups.get(name));
        if let Some(there) = there.filter(|group| group.number == number) {
            return there.clone();
        }
        let group = Arc::new(Group {
            number,
            ephemeral,
            queue: Queue::default(),
        });
        self.topics
            .entry(topic.to_owned())
            .or_default()
            .insert(name.to_owned(), group.clone());
        group
    }

    /// A message that was there before, once for each group that wants it.
    pub(crate) fn restore_message(&mut self, sequence: u64) {
        *self.wanted.entry(sequence).or_default() += 1;
        self.next_sequence = self.next_sequence.max(sequence + 1);
    }

    pub(crate) fn groups(&self, topic: &str) -> Vec<Arc<Group>> {
        self.topics
            .get(topic)
            .map(|groups| groups.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The sequence of a new message for so many groups.
    pub(crate) fn admit(&mut self, groups: usize) -> Result<u64> {
        if self.wanted.len() as u64 >= self.limit {
            self.remove_deserted();
        }
        if self.wanted.len() as u64 >= self.limit {
            let error = format!(
                "{} messages wait to be acknowledged; at most {} are kept",
                self.wanted.len(),
                self.limit
            );
            return Err(Error::exhausted(error).with_retry_after(RETRY_AFTER));
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.wanted.insert(sequence, groups);
        Ok(sequence)
    }

    /// One group less wants the message; true if it was the last.
    pub(crate) fn release(&mut self, sequence: u64) -> bool {
        let Some(count) = self.wanted.get_mut(&sequence) else {
            return false;
        };
        *count -= 1;
        let last = *count == 0;
        if last {
            self.wanted.remove(&sequence);
        }
        last
    }

    /// Ends the ephemeral groups that nobody sits in.
    pub(crate) fn remove_deserted(&mut self) {
        let mut over = Vec::new();
        self.topics.retain(|_, groups| {
            groups.retain(|_, group| {
                if group.is_over() {
                    over.push(group.clone());
                }
                !group.is_over()
            });
            !groups.is_empty()
        });
        for sequence in over.iter().flat_map(|group| group.queue.sequences()) {
            self.release(sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Waiting;
    use tokio::time::Instant;

    fn publish(topics: &mut Topics, topic: &str) -> Result<u64> {
        let groups = topics.groups(topic);
        let sequence = topics.admit(groups.len())?;
        for group in groups {
            let due = Instant::now();
            group.queue.add(vec![Waiting {
                sequence,
                due,
                attempts: 0,
                lane: None,
                message: None,
            }]);
        }
        Ok(sequence)
    }

    #[test]
    fn a_message_goes_with_the_last_group_that_wants_it() {
        let mut topics = Topics::new(10);
        topics.join("t", "a", false).unwrap();
        topics.join("t", "b", false).unwrap();
        let sequence = publish(&mut topics, "t").unwrap();
        assert!(!topics.release(sequence));
        assert!(topics.release(sequence));
        assert!(topics.wanted.is_empty());
    }

    #[test]
    fn an_ephemeral_group_ends_with_its_last_seat() {
        let mut topics = Topics::new(1);
        let first = topics.join("t", "e", true).unwrap();
        let second = topics.join("t", "e", true).unwrap();
        assert_eq!((first.known, second.known), (false, true));
        publish(&mut topics, "t").unwrap();
        first.group.queue.leave(first.seat);
        let error = publish(&mut topics, "t").unwrap_err();
        assert_eq!(
            error.message(),
            "1 messages wait to be acknowledged; at most 1 are kept"
        );
        assert_eq!(error.retry_after(), Some(RETRY_AFTER));
        second.group.queue.leave(second.seat);
        assert!(!topics.join("t", "e", true).unwrap().known);
        publish(&mut topics, "t").unwrap();
    }

    #[test]
    fn a_durable_seat_is_not_given_in_an_ephemeral_group() {
        let mut topics = Topics::new(1);
        topics.join("t", "e", true).unwrap();
        let error = topics.join("t", "e", false).err().unwrap();
        assert_eq!(
            error.message(),
            "group `e` of topic `t` is in use as an ephemeral one; expected another name"
        );
    }
}
