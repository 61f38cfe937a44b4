//! Requests about the records of a topic.

use super::{Api, ByTopic, read_topics, write_topics};
use crate::wire::{Odd, Reader, Writer};

/// Bytes of all that one answer brings, and of one partition; a batch that is larger comes alone.
const FETCHED: i32 = 8 << 20;
const OF_PARTITION: i32 = 1 << 20;

/// A batch for one partition, which is answered once every replica in sync has it.
pub(crate) struct Produce<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub batch: &'a [u8],
    /// Milliseconds that the leader waits for the others.
    pub wait: i32,
}

impl Api for Produce<'_> {
    const KEY: i16 = 0;
    /// The first one in which a batch may be packed by Zstandard.
    const VERSION: i16 = 7;
    type Answer = ByTopic<i16>;

    fn write(&self, out: &mut Writer) {
        out.nullable(None);
        out.i16(-1);
        out.i32(self.wait);
        out.array([self.topic].iter(), |out, topic| {
            out.string(topic);
            out.array([self.partition].iter(), |out, partition| {
                out.i32(*partition);
                out.bytes(self.batch);
            });
        });
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        read_topics(answer, |answer| {
            answer.i32()?;
            let error = answer.i16()?;
            // The offset, the time and the first offset of the partition.
            answer.take(8 + 8 + 8)?;
            Ok(error)
        })
    }
}

/// Records from offsets on.
pub(crate) struct Fetch {
    /// Milliseconds that the broker waits where there are none.
    pub wait: i32,
    /// The number of each partition, and the offset in it.
    pub topics: ByTopic<(i32, i64)>,
}

/// The records of one partition.
pub(crate) struct Fetched {
    pub partition: i32,
    pub error: i16,
    pub records: Vec<u8>,
}

impl Api for Fetch {
    const KEY: i16 = 1;
    /// The first one in which a broker that packs by Zstandard itself answers.
    const VERSION: i16 = 10;
    const LIMIT: usize = 64 << 20;
    /// An error, and what there is.
    type Answer = (i16, ByTopic<Fetched>);

    fn write(&self, out: &mut Writer) {
        out.i32(-1);
        out.i32(self.wait);
        out.i32(1);
        out.i32(FETCHED);
        out.i8(0);
        // Outside of a session, which is asked for by whole lists.
        out.i32(0);
        out.i32(-1);
        write_topics(out, &self.topics, |out, (partition, offset)| {
            out.i32(*partition);
            out.i32(-1);
            out.i64(*offset);
            out.i64(-1);
            out.i32(OF_PARTITION);
        });
        write_topics(out, &ByTopic::<i32>::new(), |out, partition| {
            out.i32(*partition);
        });
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        answer.i32()?;
        let error = answer.i16()?;
        answer.i32()?;
        let topics = read_topics(answer, |answer| {
            let (partition, error) = (answer.i32()?, answer.i16()?);
            // The end of what is in sync, the last offset that is stable, and the first one.
            answer.take(8 + 8 + 8)?;
            answer.array(|answer| answer.take(16).map(drop))?;
            let records = answer.bytes()?.to_vec();
            Ok(Fetched {
                partition,
                error,
                records,
            })
        })?;
        Ok((error, topics))
    }
}

/// The first offset of a partition, or the one behind the last record.
pub(crate) struct ListOffsets<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub is_first: bool,
}

impl Api for ListOffsets<'_> {
    const KEY: i16 = 2;
    const VERSION: i16 = 1;
    /// An error and an offset.
    type Answer = ByTopic<(i16, i64)>;

    fn write(&self, out: &mut Writer) {
        out.i32(-1);
        out.array([self.topic].iter(), |out, topic| {
            out.string(topic);
            out.array([self.partition].iter(), |out, partition| {
                out.i32(*partition);
                out.i64(if self.is_first { -2 } else { -1 });
            });
        });
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        read_topics(answer, |answer| {
            answer.i32()?;
            let error = answer.i16()?;
            answer.i64()?;
            Ok((error, answer.i64()?))
        })
    }
}
