//! Group commits of a queue: they write the tables first, and the memory of the groups once that is durable.

use super::super::{commit, reopen, unavailable, write};
use super::{
    MAX_MESSAGE,
    tables::{self, Tables},
};
use crate::{
    durable::{
        codec::message,
        committer::{Engine, ends_batch},
        handle::Handle,
    },
    shared::{
        clock,
        pubsub::{
            member::{Letter, Settling, Verdict},
            operator,
            queue::{Lane, Stored, Waiting, lane},
            topics::{self, Group, HELD, Joined, Topics},
        },
    },
};
use redb::{Database, WriteTransaction};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::Instant;
use wythe_blocks::{Error, Result, pubsub::Message};
use wythe_manifest::ByteSize;

/// Messages that one write purges.
const PURGE: usize = 1_000;

pub(super) enum Write {
    Publish {
        topic: String,
        messages: Vec<Message>,
    },
    Join {
        topic: String,
        group: String,
        ephemeral: bool,
    },
    Settle(Settling),
    List,
    /// Some of what no member has; the group as well, once nothing is left of it.
    Purge {
        topic: String,
        group: String,
        remove: bool,
    },
}

pub(super) enum Answer {
    Published(Vec<Result<()>>),
    Joined(Joined),
    Settled,
    /// Topic, name and group.
    Listed(Vec<(String, String, Arc<Group>)>),
    /// Number of messages that were purged; 0 where nothing was left.
    Purged(u64),
}

/// Change that consumers see when the commit is durable.
enum Effect {
    Add(Arc<Group>, Waiting),
    Settle(Settling),
}

/// Owns the topics: they change in the order of the commits and nowhere else.
pub(super) struct Journal {
    database: Arc<Handle<Database>>,
    topics: Topics,
    path: PathBuf,
    cache_size: Option<ByteSize>,
}

impl Journal {
    pub(super) fn new(
        database: Arc<Handle<Database>>,
        topics: Topics,
        path: PathBuf,
        cache_size: Option<ByteSize>,
    ) -> Self {
        Journal {
            database,
            topics,
            path,
            cache_size,
        }
    }
}

impl Engine for Journal {
    type Write = Write;
    type Answer = Answer;

    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Result<Answer>>> {
        let topics = &mut self.topics;
        topics.begin();
        let committed = self.database.with(|database| {
            let transaction = write(database)?;
            let staged = Stage::open(&transaction, topics)?.run_all(writes)?;
            commit(transaction, staged.changed)?;
            Ok((staged.answers, staged.effects))
        });
        let (answers, effects) = committed.inspect_err(|_| self.topics.undo())?;
        self.topics.commit();
        run(effects);
        Ok(answers)
    }

    fn sweep(&mut self) -> Result<bool> {
        self.topics.remove_deserted();
        Ok(false)
    }

    fn reopen(&mut self) -> Result<()> {
        self.database
            .reopen(|| reopen(&self.path, self.cache_size))?;
        let topics = &mut self.topics;
        self.database
            .with(|database| tables::load(database, topics))
    }
}

/// Adds runs of messages for one group at once, so that its members wake once.
fn run(effects: Vec<Effect>) {
    let mut run: Option<(Arc<Group>, Vec<Waiting>)> = None;
    for effect in effects {
        match (effect, &mut run) {
            (Effect::Add(group, waiting), Some((current, list)))
                if Arc::ptr_eq(&group, current) =>
            {
                list.push(waiting)
            }
            (Effect::Add(group, waiting), run) => end(run.replace((group, vec![waiting]))),
            (Effect::Settle(settling), run) => {
                end(run.take());
                settling.settle();
            }
        }
    }
    end(run);
}

fn end(run: Option<(Arc<Group>, Vec<Waiting>)>) {
    if let Some((group, waiting)) = run {
        group.queue.add(waiting);
    }
}

/// One moment on the clock that is stored and on the one that timers use.
#[derive(Clone, Copy)]
struct Now {
    clock: u64,
    instant: Instant,
}

impl Now {
    fn read() -> Self {
        Now {
            clock: clock::now(),
            instant: Instant::now(),
        }
    }
}

struct Stage<'a> {
    tables: Tables<'a>,
    topics: &'a mut Topics,
    effects: Vec<Effect>,
    changed: bool,
    now: Now,
}

struct Staged {
    answers: Vec<Result<Answer>>,
    effects: Vec<Effect>,
    changed: bool,
}

impl<'a> Stage<'a> {
    fn open(transaction: &'a WriteTransaction, topics: &'a mut Topics) -> Result<Self> {
        let tables = Tables::open(transaction)?;
        Ok(Stage {
            tables,
            topics,
            effects: Vec::new(),
            changed: false,
            now: Now::read(),
        })
    }

    fn run_all(mut self, writes: Vec<Write>) -> Result<Staged> {
        let mut answers = Vec::with_capacity(writes.len());
        for write in writes {
            let answer = self.run(write);
            if ends_batch(&answer) {
                answer?;
            } else {
                answers.push(answer);
            }
        }
        Ok(Staged {
            answers,
            effects: self.effects,
            changed: self.changed,
        })
    }

    fn run(&mut self, write: Write) -> Result<Answer> {
        match write {
            Write::Publish { topic, messages } => self.publish_many(&topic, messages),
            Write::Join {
                topic,
                group,
                ephemeral,
            } => self.join(&topic, &group, ephemeral),
            Write::Settle(settling) => self.settle(settling),
            Write::List => Ok(Answer::Listed(self.topics.all())),
            Write::Purge {
                topic,
                group,
                remove,
            } => self.purge(&topic, &group, remove),
        }
    }

    fn publish_many(&mut self, topic: &str, messages: Vec<Message>) -> Result<Answer> {
        let groups = self.topics.groups(topic);
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            let answer = self.publish(topic, &groups, message);
            if ends_batch(&answer) {
                answer?;
            } else {
                answers.push(answer);
            }
        }
        Ok(Answer::Published(answers))
    }

    fn publish(&mut self, topic: &str, groups: &[Arc<Group>], message: Message) -> Result<()> {
        let (delay, due) = self.accept(&message)?;
        if groups.is_empty() {
            return Ok(());
        }
        let bytes = topics::size(&message);
        let sequence = self.topics.admit(groups.len(), bytes)?;
        self.put(topic, groups, sequence, (delay, due), message)
    }

    /// Buries a letter, over the limit if need be, in the group that holds letters where nobody reads them.
    fn bury(&mut self, letter: &mut Letter) -> Result<()> {
        let (topic, message) = (&letter.topic, std::mem::take(&mut letter.message));
        let (readers, new) = self.topics.readers(topic);
        if let Some(holder) = readers.last().filter(|_| new) {
            self.name(topic, HELD, holder.number)?;
        }
        let bytes = topics::size(&message);
        let sequence = self.topics.admit_over(readers.len(), bytes);
        let at_once = (Duration::ZERO, self.now.instant);
        self.put(topic, &readers, sequence, at_once, message)
    }

    fn put(
        &mut self,
        topic: &str,
        groups: &[Arc<Group>],
        sequence: u64,
        (delay, due): (Duration, Instant),
        message: Message,
    ) -> Result<()> {
        let mut stored = Waiting {
            sequence,
            due,
            attempts: 0,
            lane: message.ordering_key.as_deref().map(lane),
            bytes: 0,
            message: None,
        };
        let (ephemeral, durable): (Vec<_>, Vec<_>) =
            groups.iter().cloned().partition(|group| group.ephemeral);
        if !durable.is_empty() {
            let bytes = message::encode(topic, self.now.clock, &message);
            stored.bytes = bytes.len() as u64;
            self.tables
                .messages
                .insert(sequence, bytes.as_slice())
                .map_err(unavailable)?;
        }
        for group in durable {
            self.write_pending(group.number, sequence, delay, 0, stored.lane)?;
            self.effects.push(Effect::Add(group, stored.clone()));
        }
        let (published, bytes) = (self.now.clock, operator::size(&message));
        let message = Some(Arc::new(Stored { message, published }));
        let waiting = Waiting {
            message,
            bytes,
            ..stored
        };
        let add = |group| Effect::Add(group, waiting.clone());
        self.effects.extend(ephemeral.into_iter().map(add));
        Ok(())
    }

    /// The message's delay and the moment at which it ends, unless the message is no good.
    fn accept(&self, message: &Message) -> Result<(Duration, Instant)> {
        let size = message.data.len();
        if size as u64 > MAX_MESSAGE {
            return Err(Error::invalid(format!(
                "a message of {size} bytes; at most {MAX_MESSAGE} are allowed"
            )));
        }
        let delay = message.delay.unwrap_or_default();
        match self.now.instant.checked_add(delay) {
            Some(due) => Ok((delay, due)),
            None => Err(Error::invalid(format!(
                "a delay of {delay:?}; expected one that ends some day"
            ))),
        }
    }

    fn write_pending(
        &mut self,
        group: u64,
        sequence: u64,
        delay: Duration,
        attempts: u32,
        lane: Option<Lane>,
    ) -> Result<()> {
        let due = self.now.clock.saturating_add(clock::nanoseconds(delay));
        let state = (due, attempts, lane.unwrap_or_default());
        self.tables
            .pending
            .insert((group, sequence), state)
            .map_err(unavailable)?;
        self.changed = true;
        Ok(())
    }

    fn join(&mut self, topic: &str, name: &str, ephemeral: bool) -> Result<Answer> {
        let joined = self.topics.join(topic, name, ephemeral)?;
        if joined.adopted {
            self.tables
                .groups
                .remove((topic, HELD))
                .map_err(unavailable)?;
        }
        if !joined.known && !ephemeral {
            self.name(topic, name, joined.group.number)?;
        }
        Ok(Answer::Joined(joined))
    }

    fn name(&mut self, topic: &str, name: &str, number: u64) -> Result<()> {
        self.tables
            .groups
            .insert((topic, name), number)
            .map_err(unavailable)?;
        self.changed = true;
        Ok(())
    }

    fn settle(&mut self, mut settling: Settling) -> Result<Answer> {
        let group = settling.group.clone();
        for verdict in &mut settling.verdicts {
            let held = verdict.held();
            match verdict {
                Verdict::Buried(_, letter) => {
                    self.bury(letter)?;
                    self.remove(&group, held.sequence)?;
                }
                Verdict::Done(_) => self.remove(&group, held.sequence)?,
                Verdict::Again(_, delay) if !group.ephemeral => {
                    self.write_pending(
                        group.number,
                        held.sequence,
                        *delay,
                        held.attempts,
                        held.lane,
                    )?;
                }
                Verdict::Again(..) => {}
            }
        }
        self.effects.push(Effect::Settle(settling));
        Ok(Answer::Settled)
    }

    fn purge(&mut self, topic: &str, name: &str, remove: bool) -> Result<Answer> {
        let Some(group) = self.topics.find(topic, name) else {
            return Ok(Answer::Purged(0));
        };
        if remove {
            operator::check_deserted(&group)?;
        }
        let settling = operator::purging(group, PURGE);
        let count = settling.verdicts.len() as u64;
        if count == 0 && remove {
            self.topics.name(topic, name, None);
            self.tables
                .groups
                .remove((topic, name))
                .map_err(unavailable)?;
            self.changed = true;
        }
        self.settle(settling)?;
        Ok(Answer::Purged(count))
    }

    fn remove(&mut self, group: &Group, sequence: u64) -> Result<()> {
        if !group.ephemeral {
            self.tables
                .pending
                .remove((group.number, sequence))
                .map_err(unavailable)?;
            self.changed = true;
        }
        if self.topics.release(sequence) {
            // Nothing is there if only ephemeral groups wanted it.
            let removed = self.tables.messages.remove(sequence).map_err(unavailable)?;
            self.changed |= removed.is_some();
        }
        Ok(())
    }
}
