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
/// The group that holds the dead letters of a topic until another one joins; no app can name it so.
pub(crate) const HELD: &str = "\0";

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
    topics: BTreeMap<String, BTreeMap<String, Arc<Group>>>,
    /// How to undo what was changed since `begin`; absent where nothing is to be undone.
    undo: Option<Vec<Undo>>,
    /// How many groups want each message.
    wanted: HashMap<u64, usize>,
    next_sequence: u64,
    next_group: u64,
    limit: u64,
}

enum Undo {
    Admitted(u64),
    Released(u64),
    Sat(Arc<Group>, u64),
    /// The group of a topic and name was this one, or there was none.
    Named(String, String, Option<Arc<Group>>),
}

/// A seat of a group, counted before anybody else can see the group.
pub(crate) struct Joined {
    pub group: Arc<Group>,
    pub seat: u64,
    /// Whether the group was there before.
    pub known: bool,
    /// Whether it was the one that held dead letters.
    pub adopted: bool,
}

impl Topics {
    pub(crate) fn new(limit: u64) -> Self {
        Topics {
            topics: BTreeMap::new(),
            undo: None,
            wanted: HashMap::new(),
            next_sequence: 1,
            next_group: 1,
            limit,
        }
    }

    /// Takes a seat in a group, which is made if it is not there.
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
        let seat = group.queue.sit();
        self.remember(|| Undo::Sat(group.clone(), seat));
        Ok(Joined {
            group,
            seat,
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

    /// From here on changes can be undone, until they are kept.
    pub(crate) fn begin(&mut self) {
        self.undo = Some(Vec::new());
    }

    pub(crate) fn keep(&mut self) {
        self.undo = None;
    }

    /// As it was when it began.
    pub(crate) fn undo(&mut self) {
        for undo in self.undo.take().into_iter().flatten().rev() {
            match undo {
                Undo::Admitted(sequence) => drop(self.wanted.remove(&sequence)),
                Undo::Released(sequence) => *self.wanted.entry(sequence).or_default() += 1,
                Undo::Sat(group, seat) => group.queue.leave(seat),
                Undo::Named(topic, name, group) => self.name(&topic, &name, group),
            }
        }
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
        self.name(topic, name, Some(group.clone()));
        group
    }

    /// Those that get a dead letter: all that get what is published and, where none of them lasts, the one that holds it;
    /// and whether that is a new one.
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

    /// Every group, by topic and name.
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
        *self.wanted.entry(sequence).or_default() += 1;
        self.next_sequence = self.next_sequence.max(sequence + 1);
    }

    /// Those that get what is published.
    pub(crate) fn groups(&self, topic: &str) -> Vec<Arc<Group>> {
        let groups = self.topics.get(topic).into_iter().flatten();
        let groups = groups.filter(|(name, _)| *name != HELD);
        groups.map(|(_, group)| group.clone()).collect()
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
        Ok(self.admit_over(groups))
    }

    /// The same, where the limit does not matter.
    pub(crate) fn admit_over(&mut self, groups: usize) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.wanted.insert(sequence, groups);
        self.remember(|| Undo::Admitted(sequence));
        sequence
    }

    /// One group less wants the message; true if it was the last.
    pub(crate) fn release(&mut self, sequence: u64) -> bool {
        let left = self.count_down(sequence);
        if left.is_some() {
            self.remember(|| Undo::Released(sequence));
        }
        left == Some(0)
    }

    /// How many groups still want the message; none where nobody did.
    fn count_down(&mut self, sequence: u64) -> Option<usize> {
        let count = self.wanted.get_mut(&sequence)?;
        *count -= 1;
        let left = *count;
        if left == 0 {
            self.wanted.remove(&sequence);
        }
        Some(left)
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

    #[test]
    fn what_could_not_be_kept_is_undone() {
        let mut topics = Topics::new(10);
        let seat = topics.join("t", "a", false).unwrap();
        let (kept, gone) = (
            publish(&mut topics, "t").unwrap(),
            publish(&mut topics, "t").unwrap(),
        );
        let (holder, _) = topics.readers("dead");
        let letter = topics.admit_over(1);
        topics.begin();
        assert!(topics.release(kept));
        publish(&mut topics, "t").unwrap();
        topics.join("t", "new", false).unwrap();
        topics.join("t", "a", false).unwrap();
        assert!(topics.join("dead", "reader", false).unwrap().adopted);
        topics.name("t", "a", None);
        topics.undo();
        assert!(topics.find("t", "new").is_none() && topics.find("dead", "reader").is_none());
        assert!(Arc::ptr_eq(&topics.readers("dead").0[0], &holder[0]));
        let group = topics.find("t", "a").unwrap();
        assert!(Arc::ptr_eq(&group, &seat.group));
        assert_eq!(group.queue.members(), 1);
        for sequence in [kept, gone, letter] {
            assert!(topics.release(sequence));
        }
        assert!(topics.wanted.is_empty());
    }
}
