//! The view of operators on the groups of a broker, and their hand, over any broker that keeps its queues in memory.

use crate::shared::clock;
use crate::shared::pubsub::{
    member::{Letter, Settling, Verdict},
    queue::Stored,
    topics::{Group, HELD},
};
use std::{collections::HashMap, sync::Arc};
use wythe_blocks::{
    Error, Result,
    pubsub::{Depth, Group as Status, Message, StoredMessage},
};

/// Bytes of a message, and when it was published, in nanoseconds since 1970.
pub(crate) type Weight = (u64, u64);

/// Looks messages up that are not in the queue; those that are gone meanwhile are absent.
pub(crate) type LookUp<'a, T> = &'a dyn Fn(&[u64]) -> Result<HashMap<u64, T>>;

pub(crate) fn find(
    all: &[(String, String, Arc<Group>)],
    topic: &str,
    group: Option<&str>,
) -> Result<Arc<Group>> {
    let name = group.unwrap_or(HELD);
    let mut all = all.iter();
    let found = all.find(|(of, known, _)| of == topic && known == name);
    let missing = || match group {
        Some(group) => Error::not_found(format!("topic `{topic}` has no group `{group}`")),
        None => Error::not_found(format!("topic `{topic}` holds no dead letters")),
    };
    found.map(|(_, _, group)| group.clone()).ok_or_else(missing)
}

pub(crate) fn status(
    topic: &str,
    name: &str,
    group: &Group,
    weigh: LookUp<Weight>,
) -> Result<Status> {
    let seen = group.queue.look();
    let elsewhere = seen.iter().filter(|one| one.message.is_none());
    let elsewhere: Vec<_> = elsewhere.map(|one| one.sequence).collect();
    let weighed = weigh(&elsewhere)?;
    let here = seen.iter().filter_map(|one| one.message.as_deref());
    let here = here.map(|stored| (size(&stored.message), stored.published));
    let weights: Vec<Weight> = weighed.into_values().chain(here).collect();
    Ok(Status {
        topic: topic.to_owned(),
        name: (name != HELD).then(|| name.to_owned()),
        ephemeral: group.ephemeral,
        members: group.queue.members() as u64,
        messages: seen.len() as u64,
        out: seen.iter().filter(|one| one.is_out).count() as u64,
        bytes: weights.iter().map(|(bytes, _)| bytes).sum(),
        oldest: weights.iter().map(|(_, at)| *at).min().map(clock::time),
    })
}

/// Says how much each group waits for, without a look at each message.
pub(crate) fn backlog(
    all: &[(String, String, Arc<Group>)],
    weigh: LookUp<Weight>,
) -> Result<Vec<Depth>> {
    let depths: Vec<_> = all
        .iter()
        .map(|(_, _, group)| group.queue.depth())
        .collect();
    let elsewhere = depths.iter().filter_map(|depth| match &depth.oldest {
        Some((number, None)) => Some(*number),
        _ => None,
    });
    let elsewhere = weigh(&elsewhere.collect::<Vec<_>>())?;
    let named = all
        .iter()
        .zip(depths)
        .filter(|((_, name, _), _)| name != HELD);
    let waiting = named.map(|((topic, name, _), depth)| {
        let published = depth.oldest.and_then(|(number, message)| match message {
            Some(stored) => Some(stored.published),
            None => elsewhere.get(&number).map(|(_, at)| *at),
        });
        Depth {
            topic: topic.clone(),
            group: name.clone(),
            messages: depth.messages as u64,
            bytes: Some(depth.bytes),
            oldest: published.map(clock::time),
        }
    });
    Ok(waiting.collect())
}

pub(crate) fn page(
    group: &Group,
    after: u64,
    limit: u32,
    load: LookUp<Stored>,
) -> Result<Vec<StoredMessage>> {
    let seen = group.queue.look().into_iter();
    let seen = seen.filter(|one| one.sequence > after);
    let seen: Vec<_> = seen.take(limit as usize).collect();
    let elsewhere = seen.iter().filter(|one| one.message.is_none());
    let elsewhere: Vec<_> = elsewhere.map(|one| one.sequence).collect();
    let mut loaded = load(&elsewhere)?;
    let stored = seen.into_iter().filter_map(|one| {
        let here = one.message.as_deref().cloned();
        let stored = here.or_else(|| loaded.remove(&one.sequence))?;
        Some(StoredMessage {
            number: one.sequence,
            message: stored.message,
            published: clock::time(stored.published),
            attempts: one.attempts,
        })
    });
    Ok(stored.collect())
}

/// The verdict that puts another message into a topic, in place of one that no member has.
pub(crate) fn replacing(
    group: Arc<Group>,
    number: u64,
    to: &str,
    message: Message,
) -> Result<Settling> {
    let held = group.queue.hold_idle(number)?;
    let topic = to.to_owned();
    let letter = Box::new(Letter { topic, message });
    Ok(Settling {
        group,
        verdicts: vec![Verdict::Buried(held, letter)],
    })
}

/// The verdicts that end up to `limit` messages that no member has.
pub(crate) fn purging(group: Arc<Group>, limit: usize) -> Settling {
    let held = group.queue.hold_some(limit).into_iter();
    let verdicts = held.map(Verdict::Done).collect();
    Settling { group, verdicts }
}

pub(crate) fn check_deserted(group: &Group) -> Result<()> {
    match group.queue.members() {
        0 => Ok(()),
        members => Err(Error::conflict(format!(
            "the group has {members} members; it can be removed when they have left"
        ))),
    }
}

/// Bytes of a message that is in memory.
pub(crate) fn size(message: &Message) -> u64 {
    let attributes = message.attributes.iter();
    let attributes = attributes.map(|(name, value)| name.len() + value.len());
    (message.data.len() + attributes.sum::<usize>()) as u64
}
