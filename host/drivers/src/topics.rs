//! Which groups want the messages of which topic, and how many messages, and bytes of them, somebody still wants.

use crate::queue::Queue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use wythe_blocks::{Error, Result};
use wythe_manifest::ByteSize;

/// Messages of a component that somebody still wants; by default.
pub(crate) const MAX_BACKLOG: u64 = 1_000_000;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How much of a component somebody may still want.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    pub messages: u64,
    pub bytes: u64,
}

impl Backlog {
    /// What a component says, or else the default: a million messages, and as many bytes as the driver says.
    pub(crate) fn new(messages: Option<u64>, bytes: Option<ByteSize>, default: u64) -> Self {
        Backlog {
            messages: messages.unwrap_or(MAX_BACKLOG),
            bytes: bytes.map_or(default, u64::from),
        }
    }
}

/// A message that somebody wants.
#[derive(Default)]
struct Wanted {
    groups: usize,
    bytes: u64,
}

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
    wanted: HashMap<u64, Wanted>,
    /// Of all that are wanted.
    bytes: u64,
    next_sequence: u64,
    next_group: u64,
    limit: Backlog,
}

/// A seat of a group, counted before anybody else can see the group.
pub(crate) struct Joined {
    pub group: Arc<Group>,
    pub seat: u64,
    /// Whether the group was there before.
    pub known: bool,
}

impl Topics {
    pub(crate) fn new(limit: Backlog) -> Self {
        Topics {
            topics: HashMap::new(),
            wanted: HashMap::new(),
            bytes: 0,
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

    /// A group with a number that it had before.
    pub(crate) fn restore(
        &mut self,
        topic: &str,
        name: &str,
        number: u64,
        ephemeral: bool,
    ) -> Arc<Group> {
        self.next_group = self.next_group.max(number + 1);
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
        self.wanted.entry(sequence).or_default().groups += 1;
        self.next_sequence = self.next_sequence.max(sequence + 1);
    }

    /// The size of a message that was there before.
    pub(crate) fn restore_bytes(&mut self, sequence: u64, bytes: u64) {
        if let Some(wanted) = self.wanted.get_mut(&sequence) {
            self.bytes += bytes - std::mem::replace(&mut wanted.bytes, bytes);
        }
    }

    pub(crate) fn groups(&self, topic: &str) -> Vec<Arc<Group>> {
        self.topics
            .get(topic)
            .map(|groups| groups.values().cloned().collect())
            .unwrap_or_default()
    }

    /// The sequence of a new message of so many bytes for so many groups.
    pub(crate) fn admit(&mut self, groups: usize, bytes: u64) -> Result<u64> {
        if self.full(bytes).is_some() {
            self.remove_deserted();
        }
        if let Some(error) = self.full(bytes) {
            return Err(error.with_retry_after(RETRY_AFTER));
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.wanted.insert(sequence, Wanted { groups, bytes });
        self.bytes += bytes;
        Ok(sequence)
    }

    /// Why there is no room for one more message of so many bytes, if there is none.
    fn full(&self, more: u64) -> Option<Error> {
        let (count, Backlog { messages, bytes }) = (self.wanted.len(), self.limit);
        if count as u64 >= messages {
            return Some(Error::exhausted(format!(
                "{count} messages wait to be acknowledged; at most {messages} are kept"
            )));
        }
        (self.bytes.saturating_add(more) > bytes).then(|| {
            Error::exhausted(format!(
                "messages of {} bytes wait to be acknowledged, and this one has {more}; at most {bytes} are kept; see \
                 `maxBacklogBytes`",
                self.bytes
            ))
        })
    }

    /// One group less wants the message; true if it was the last.
    pub(crate) fn release(&mut self, sequence: u64) -> bool {
        let Some(wanted) = self.wanted.get_mut(&sequence) else {
            return false;
        };
        wanted.groups -= 1;
        let last = wanted.groups == 0;
        if last {
            self.bytes -= wanted.bytes;
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

    /// Of each message here.
    const BYTES: u64 = 10;

    fn topics(messages: u64) -> Topics {
        Topics::new(Backlog {
            messages,
            bytes: 1_000,
        })
    }

    fn publish(topics: &mut Topics, topic: &str) -> Result<u64> {
        let groups = topics.groups(topic);
        let sequence = topics.admit(groups.len(), BYTES)?;
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
        let mut topics = topics(10);
        topics.join("t", "a", false).unwrap();
        topics.join("t", "b", false).unwrap();
        let sequence = publish(&mut topics, "t").unwrap();
        assert!(!topics.release(sequence));
        assert!(topics.release(sequence));
        assert!(topics.wanted.is_empty());
    }

    #[test]
    fn an_ephemeral_group_ends_with_its_last_seat() {
        let mut topics = topics(1);
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
        let mut topics = topics(1);
        topics.join("t", "e", true).unwrap();
        let error = topics.join("t", "e", false).err().unwrap();
        assert_eq!(
            error.message(),
            "group `e` of topic `t` is in use as an ephemeral one; expected another name"
        );
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let mut topics = topics(1_000);
        topics.join("t", "a", false).unwrap();
        topics.join("t", "b", false).unwrap();
        let sequences: Vec<u64> = (0..100)
            .map(|_| publish(&mut topics, "t").unwrap())
            .collect();
        let error = publish(&mut topics, "t").unwrap_err();
        assert_eq!(
            error.message(),
            "messages of 1000 bytes wait to be acknowledged, and this one has 10; at most 1000 are kept; see \
             `maxBacklogBytes`"
        );
        topics.release(sequences[0]);
        publish(&mut topics, "t").unwrap_err();
        topics.release(sequences[0]);
        publish(&mut topics, "t").unwrap();
    }

    #[test]
    fn bytes_that_were_there_before_count() {
        let mut topics = topics(1_000);
        topics.restore_message(1);
        topics.restore_message(1);
        topics.restore_bytes(1, 995);
        topics.restore_bytes(2, 995);
        topics.join("t", "a", false).unwrap();
        publish(&mut topics, "t").unwrap_err();
        topics.release(1);
        topics.release(1);
        publish(&mut topics, "t").unwrap();
        assert_eq!(topics.bytes, BYTES);
    }
}
