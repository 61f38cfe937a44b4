//! Requests of a consumer group to its coordinator.

use super::{Api, ByTopic, read_topics, write_topics};
use crate::wire::{Odd, Reader, Writer};

/// The name of the kind of groups that consumers are in.
const CONSUMER: &str = "consumer";

/// The wish to be a member, which is answered once all members have said it.
pub(crate) struct JoinGroup<'a> {
    pub group: &'a str,
    /// Milliseconds after which a member that is silent is gone, and those for which a round waits for a member.
    pub session: i32,
    pub rebalance: i32,
    /// Empty for a new member.
    pub member: &'a str,
    /// The way in which partitions are shared out.
    pub strategy: &'a str,
    pub topics: &'a [String],
}

pub(crate) struct Joined {
    pub error: i16,
    pub generation: i32,
    pub leader: String,
    pub member: String,
    /// The topics of each member, for the leader alone.
    pub members: Vec<(String, Vec<String>)>,
}

impl Api for JoinGroup<'_> {
    const KEY: i16 = 11;
    const VERSION: i16 = 2;
    const LIMIT: usize = 8 << 20;
    type Answer = Joined;

    fn write(&self, out: &mut Writer) {
        out.string(self.group);
        out.i32(self.session);
        out.i32(self.rebalance);
        out.string(self.member);
        out.string(CONSUMER);
        let mut wanted = Writer::default();
        wanted.i16(0);
        wanted.array(self.topics.iter(), |out, topic| out.string(topic));
        wanted.i32(-1);
        out.array([self.strategy].iter(), |out, strategy| {
            out.string(strategy);
            out.bytes(&wanted.0);
        });
    }

    fn read(answer: &mut Reader<'_>) -> Result<Joined, Odd> {
        answer.i32()?;
        let (error, generation) = (answer.i16()?, answer.i32()?);
        answer.nullable()?;
        Ok(Joined {
            error,
            generation,
            leader: answer.string()?,
            member: answer.string()?,
            members: answer.array(|answer| {
                let member = answer.string()?;
                let mut wanted = Reader(answer.bytes()?);
                wanted.i16()?;
                Ok((member, wanted.array(Reader::string)?))
            })?,
        })
    }
}

/// The wish to know what a member reads; the leader says it of all.
pub(crate) struct SyncGroup<'a> {
    pub group: &'a str,
    pub generation: i32,
    pub member: &'a str,
    pub shares: &'a [(String, ByTopic<i32>)],
}

impl Api for SyncGroup<'_> {
    const KEY: i16 = 14;
    const VERSION: i16 = 1;
    /// An error, and the partitions of the member.
    type Answer = (i16, ByTopic<i32>);

    fn write(&self, out: &mut Writer) {
        out.string(self.group);
        out.i32(self.generation);
        out.string(self.member);
        out.array(self.shares.iter(), |out, (member, topics)| {
            out.string(member);
            let mut share = Writer::default();
            share.i16(0);
            write_topics(&mut share, topics, |out, partition| out.i32(*partition));
            share.i32(-1);
            out.bytes(&share.0);
        });
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        answer.i32()?;
        let error = answer.i16()?;
        let mut share = Reader(answer.bytes()?);
        if share.0.is_empty() {
            return Ok((error, Vec::new()));
        }
        share.i16()?;
        Ok((error, read_topics(&mut share, Reader::i32)?))
    }
}

/// A sign of life of a member.
pub(crate) struct Heartbeat<'a> {
    pub group: &'a str,
    pub generation: i32,
    pub member: &'a str,
}

impl Api for Heartbeat<'_> {
    const KEY: i16 = 12;
    const VERSION: i16 = 1;
    type Answer = i16;

    fn write(&self, out: &mut Writer) {
        out.string(self.group);
        out.i32(self.generation);
        out.string(self.member);
    }

    fn read(answer: &mut Reader<'_>) -> Result<i16, Odd> {
        answer.i32()?;
        answer.i16()
    }
}

/// The end of a member.
pub(crate) struct LeaveGroup<'a> {
    pub group: &'a str,
    pub member: &'a str,
}

impl Api for LeaveGroup<'_> {
    const KEY: i16 = 13;
    const VERSION: i16 = 1;
    type Answer = i16;

    fn write(&self, out: &mut Writer) {
        out.string(self.group);
        out.string(self.member);
    }

    fn read(answer: &mut Reader<'_>) -> Result<i16, Odd> {
        answer.i32()?;
        answer.i16()
    }
}

/// The end of a group without members.
pub(crate) struct DeleteGroups<'a>(pub &'a str);

impl Api for DeleteGroups<'_> {
    const KEY: i16 = 42;
    const VERSION: i16 = 0;
    type Answer = Vec<i16>;

    fn write(&self, out: &mut Writer) {
        out.array([self.0].iter(), |out, group| out.string(group));
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        answer.i32()?;
        answer.array(|answer| {
            answer.string()?;
            answer.i16()
        })
    }
}

/// The place at which a group continues, with a text of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicPartition {
    pub partition: i32,
    pub offset: i64,
    pub note: String,
}

/// Places of a group to keep.
pub(crate) struct OffsetCommit<'a> {
    pub group: &'a str,
    pub generation: i32,
    pub member: &'a str,
    pub topics: ByTopic<TopicPartition>,
}

impl Api for OffsetCommit<'_> {
    const KEY: i16 = 8;
    const VERSION: i16 = 2;
    /// Each partition with its error.
    type Answer = ByTopic<(i32, i16)>;

    fn write(&self, out: &mut Writer) {
        out.string(self.group);
        out.i32(self.generation);
        out.string(self.member);
        out.i64(-1);
        write_topics(out, &self.topics, |out, place| {
            out.i32(place.partition);
            out.i64(place.offset);
            out.string(&place.note);
        });
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        read_topics(answer, |answer| Ok((answer.i32()?, answer.i16()?)))
    }
}

/// The places that were kept of a group.
pub(crate) struct OffsetFetch<'a> {
    pub group: &'a str,
    pub topics: ByTopic<i32>,
}

impl Api for OffsetFetch<'_> {
    const KEY: i16 = 9;
    const VERSION: i16 = 2;
    const LIMIT: usize = 8 << 20;
    /// An error, and each place with its own; an offset below zero is none.
    type Answer = (i16, ByTopic<(TopicPartition, i16)>);

    fn write(&self, out: &mut Writer) {
        out.string(self.group);
        write_topics(out, &self.topics, |out, partition| out.i32(*partition));
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        let topics = read_topics(answer, |answer| {
            let place = TopicPartition {
                partition: answer.i32()?,
                offset: answer.i64()?,
                note: answer.nullable()?.unwrap_or_default(),
            };
            Ok((place, answer.i16()?))
        })?;
        Ok((answer.i16()?, topics))
    }
}
