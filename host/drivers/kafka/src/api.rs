//! The requests of the protocol and their answers, each in the oldest version that does what is wanted of
//! it and that today's brokers still take.

mod cluster;
mod group;
mod login;
mod topic;

pub(crate) use cluster::{FindCoordinator, InitProducerId, Metadata, Versions};
pub(crate) use group::{
    DeleteGroups, Heartbeat, JoinGroup, LeaveGroup, OffsetCommit, OffsetFetch, SyncGroup,
    TopicPartition,
};
pub(crate) use login::{SaslAuthenticate, SaslHandshake};
pub(crate) use topic::{Fetch, Fetched, ListOffsets, Produce};

use crate::wire::{Odd, Reader, Writer};

/// Bytes of an answer of which nothing large is expected.
const SMALL: usize = 1 << 20;

/// A request.
pub(crate) trait Api {
    const KEY: i16;
    const VERSION: i16;
    /// Bytes of an answer, at most.
    const LIMIT: usize = SMALL;
    type Answer;

    fn write(&self, out: &mut Writer);

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd>;
}

/// The requests without which nothing works, with their versions.
pub(crate) const NEEDED: &[(i16, i16)] = &[
    (Produce::KEY, Produce::VERSION),
    (Fetch::KEY, Fetch::VERSION),
    (ListOffsets::KEY, ListOffsets::VERSION),
    (Metadata::KEY, Metadata::VERSION),
    (OffsetCommit::KEY, OffsetCommit::VERSION),
    (OffsetFetch::KEY, OffsetFetch::VERSION),
    (FindCoordinator::KEY, FindCoordinator::VERSION),
    (JoinGroup::KEY, JoinGroup::VERSION),
    (Heartbeat::KEY, Heartbeat::VERSION),
    (LeaveGroup::KEY, LeaveGroup::VERSION),
    (SyncGroup::KEY, SyncGroup::VERSION),
    (InitProducerId::KEY, InitProducerId::VERSION),
    (DeleteGroups::KEY, DeleteGroups::VERSION),
];

/// The offsets of partitions by their topics, as several requests have them.
type ByTopic<T> = Vec<(String, Vec<T>)>;

fn write_topics<T>(out: &mut Writer, topics: &ByTopic<T>, mut write: impl FnMut(&mut Writer, &T)) {
    out.array(topics.iter(), |out, (topic, partitions)| {
        out.string(topic);
        out.array(partitions.iter(), &mut write);
    });
}

fn read_topics<'a, T>(
    answer: &mut Reader<'a>,
    mut read: impl FnMut(&mut Reader<'a>) -> Result<T, Odd>,
) -> Result<ByTopic<T>, Odd> {
    answer.array(|answer| Ok((answer.string()?, answer.array(&mut read)?)))
}
