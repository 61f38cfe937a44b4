//! Topics and the groups that want their messages, with the number and the bytes of messages that somebody still wants.

use crate::shared::pubsub::queue::Queue;
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};
use wythe_blocks::{Error, Result, pubsub::Message, quota::Held};
use wythe_manifest::ByteSize;

/// Messages of a component that somebody still wants; by default.
pub(crate) const MAX_BACKLOG: u64 = 1_000_000;
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// The group that holds the dead letters of a topic until another one joins; no app can name it so.
pub(crate) const HELD: &str = "\0";

/// Limits of what somebody may still want of a component.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    pub messages: u64,
    pub bytes: u64,
}

impl Backlog {
    /// Takes what a component says, or else the default: a million messages, and as many bytes as the driver says.
    pub(crate) fn new(messages: Option<u64>, bytes: Option<ByteSize>, default: u64) -> Self {
        Backlog {
            messages: messages.unwrap_or(MAX_BACKLOG),
            bytes: bytes.map_or(default, u64::from),
        }
    }
}

/// Bytes that a message counts for in a backlog: all of its own, and room for what is kept beside them.
pub(crate) fn size(message: &Message) -> u64 {
    let attributes = message.attributes.iter();
    let attributes: usize = attributes
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let key = message.ordering_key.as_ref().map_or(0, String::len);
    let all = 128 + message.data.len() + message.content_type.len() + key + attributes;
    all as u64
}

/// A message that somebody wants.
#[derive(Default)]
struct Wanted {
    groups: usize,
    bytes: u64,
}

pub(crate) struct Group {
    pub number: u64,
    /// Ends with its last member and is never stored.
    pub ephemeral: bool,
    pub queue: Queue,
}

impl Group {
    fn is_over(&self) -> bool {
        self.ephemeral && self.queue.is_deserted()
    }
}

pub(crate) struct Topics {
    topics: BTreeMap<String, BTreeMap<String, Arc<Group>>>,
    /// Steps that undo what was changed since `begin`; absent where nothing is to be undone.
    undo: Option<Vec<Undo>>,
    wanted: HashMap<u64, Wanted>,
    /// Bytes of all that are wanted.
    bytes: u64,
    /// The part of the tenant's quota that is as much; absent where nothing is counted.
    held: Option<Held>,
    next_sequence: u64,
    next_group: u64,
    limit: Backlog,
}

enum Undo {
    Admitted(u64),
    /// The message, and its bytes.
    Released(u64, u64),
    Joined(Arc<Group>, u64),
    /// The group of a topic and name was this one, or there was none.
    Named(String, String, Option<Arc<Group>>),
}

/// A member of a group, counted before anybody else can see the group.
pub(crate) struct Joined {
    pub group: Arc<Group>,
    pub member: u64,
    /// True if the group was there before.
    pub known: bool,
    /// True if it was the one that held dead letters.
    pub adopted: bool,
}

impl Topics {
    pub(crate) fn new(limit: Backlog, held: Option<Held>) -> Self {
        Topics {
            topics: BTreeMap::new(),
            undo: None,
            wanted: HashMap::new(),
            bytes: 0,
            held,
            next_sequence: 1,
            next_group: 1,
            limit,
        }
    }

    /// Adds a member to a group, which is made if it is not there.
    pub(crate) fn join(&mut self, topic: &str, name: &str, ephemeral: bool) -> Result<Joined> {
        if name == HELD {
            return Err(Error::invalid("a group may not be named by NUL"));
        }
        self.remove_deserted();
        let found = self.find(topic, name);
        let known = found.is_some();
        let mut adopted = false;
        let group = match found {
            Some(group) if group.ephemeral && !ephemeral => {
                return Err(Error::conflict(format!(
                    "group `{name}` of topic `{topic}` is in use as an ephemeral one; expected another name"
                )));
            }
            Some(group) => group,
            None => match self.find(topic, HELD).filter(|_| !ephemeral) {
                Some(held) => {
                    adopted = true;
                    self.name(topic, HELD, None);
                    self.name(topic, name, Some(held.clone()));
                    held
                }
                None => self.restore(topic, name, self.next_group, ephemeral),
            },
        };
        let member = group.queue.join();
        self.remember(|| Undo::Joined(group.clone(), member));
        Ok(Joined {
            group,
            member,
            known,
            adopted,
        })
    }

    pub(crate) fn find(&self, topic: &str, name: &str) -> Option<Arc<Group>> {
        self.topics.get(topic)?.get(name).cloned()
    }

    /// Gives a group its name, or takes the name away.
    pub(crate) fn name(&mut self, topic: &str, name: &str, group: Option<Arc<Group>>) {
        let before = match group {
            Some(group) => {
                let groups = self.topics.entry(topic.to_owned()).or_default();
                groups.insert(name.to_owned(), group)
            }
            None => self
                .topics
                .get_mut(topic)
                .and_then(|groups| groups.remove(name)),
        };
        self.remember(|| Undo::Named(topic.to_owned(), name.to_owned(), before));
    }

    fn remember(&mut self, undo: impl FnOnce() -> Undo) {
        if let Some(log) = &mut self.undo {
            log.push(undo());
        }
    }

    /// Begins to note changes, so that they can be undone until they are kept.
    pub(crate) fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    pub(crate) fn commit(&mut self) {
        self.undo = None;
    }

    /// Undoes all changes since `begin`.
    pub(crate) fn undo(&mut self) {
        for undo in self.undo.take().into_iter().flatten().rev() {
            match undo {
                Undo::Admitted(sequence) => {
                    self.restore_bytes(sequence, 0);
                    self.wanted.remove(&sequence);
                }
                Undo::Released(sequence, bytes) => {
                    self.wanted.entry(sequence).or_default().groups += 1;
                    self.restore_bytes(sequence, bytes);
                }
                Undo::Joined(group, member) => group.queue.leave(member),
                Undo::Named(topic, name, group) => self.name(&topic, &name, group),
            }
        }
    }

    /// Forgets the counts of messages and their bytes, to be counted again as the store has them; groups and their
    /// members stay.
    pub(crate) fn recount(&mut self) {
        self.wanted.clear();
        self.weigh(0);
        for group in self.topics.values().flat_map(BTreeMap::values) {
            if group.ephemeral {
                for sequence in group.queue.sequences() {
                    self.wanted.entry(sequence).or_default().groups += 1;
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
        self.name(topic, name, Some(group.clone()));
        group
    }

    /// Returns the groups that get a dead letter: all that get what is published and, where none of them lasts, the one
    /// that holds it; and whether that is a new one.
    pub(crate) fn readers(&mut self, topic: &str) -> (Vec<Arc<Group>>, bool) {
        let mut readers = self.groups(topic);
        if readers.iter().any(|group| !group.ephemeral) {
            return (readers, false);
        }
        let (holder, new) = match self.find(topic, HELD) {
            Some(holder) => (holder, false),
            None => (self.restore(topic, HELD, self.next_group, false), true),
        };
        readers.push(holder);
        (readers, new)
    }

    /// Returns every group, by topic and name.
    pub(crate) fn all(&self) -> Vec<(String, String, Arc<Group>)> {
        let topics = self.topics.iter();
        let all = topics.flat_map(|(topic, groups)| {
            let groups = groups.iter();
            groups.map(|(name, group)| (topic.clone(), name.clone(), group.clone()))
        });
        all.collect()
    }

    /// A message that was there before, once for each group that wants it.
    pub(crate) fn restore_message(&mut self, sequence: u64) {
        self.wanted.entry(sequence).or_default().groups += 1;
        self.next_sequence = self.next_sequence.max(sequence + 1);
    }

    /// The size of a message that was there before.
    pub(crate) fn restore_bytes(&mut self, sequence: u64, bytes: u64) {
        if let Some(wanted) = self.wanted.get_mut(&sequence) {
            let before = std::mem::replace(&mut wanted.bytes, bytes);
            self.weigh(self.bytes - before + bytes);
        }
    }

    /// Returns the bytes of a message that somebody wants; 0 of another one.
    pub(crate) fn bytes_of(&self, sequence: u64) -> u64 {
        self.wanted.get(&sequence).map_or(0, |wanted| wanted.bytes)
    }

    /// Returns the groups that get what is published.
    pub(crate) fn groups(&self, topic: &str) -> Vec<Arc<Group>> {
        let groups = self.topics.get(topic).into_iter().flatten();
        let groups = groups.filter(|(name, _)| *name != HELD);
        groups.map(|(_, group)| group.clone()).collect()
    }

    /// The sequence of a new message of so many bytes for so many groups.
    pub(crate) fn admit(&mut self, groups: usize, bytes: u64) -> Result<u64> {
        if self.full(bytes).is_some() {
            self.remove_deserted();
        }
        if let Some(error) = self.full(bytes) {
            return Err(error.with_retry_after(RETRY_AFTER));
        }
        if let Some(held) = &mut self.held {
            held.grow(bytes).map_err(advised)?;
        }
        Ok(self.admit_over(groups, bytes))
    }

    /// The same, where the limit does not matter.
    pub(crate) fn admit_over(&mut self, groups: usize, bytes: u64) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.wanted.insert(sequence, Wanted { groups, bytes });
        self.weigh(self.bytes + bytes);
        self.remember(|| Undo::Admitted(sequence));
        sequence
    }

    /// Notes the bytes of all, which are there already, whatever the quota says.
    fn weigh(&mut self, bytes: u64) {
        self.bytes = bytes;
        if let Some(held) = &mut self.held {
            held.set(bytes);
        }
    }

    /// Holds nothing of the quota any more: another one may count the same messages.
    pub(crate) fn let_go(&mut self) {
        self.held = None;
    }

    /// Returns the error if there is no room for one more message of so many bytes.
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
        let left = self.count_down(sequence);
        if let Some((_, bytes)) = left {
            self.remember(|| Undo::Released(sequence, bytes));
        }
        matches!(left, Some((0, _)))
    }

    /// Counts one group less, and returns how many still want the message, and its bytes; none where nobody did.
    fn count_down(&mut self, sequence: u64) -> Option<(usize, u64)> {
        let wanted = self.wanted.get_mut(&sequence)?;
        wanted.groups -= 1;
        let (left, bytes) = (wanted.groups, wanted.bytes);
        if left == 0 {
            self.wanted.remove(&sequence);
            self.weigh(self.bytes - bytes);
        }
        Some((left, bytes))
    }

    /// Ends the ephemeral groups that nobody sits in, for good.
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
            self.count_down(sequence);
        }
    }
}

/// Says what to do about the quota.
fn advised(error: Error) -> Error {
    error.map_message(|message| {
        format!("{message}; let subscribers acknowledge some, see `wythe pubsub groups`, or let the operator raise it")
    })
}

#[cfg(test)]
mod tests;
