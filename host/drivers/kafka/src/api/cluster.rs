//! Requests about the cluster: versions, brokers and topics, coordinators, producers.

use super::Api;
use crate::wire::{Odd, Reader, Writer};

/// The versions of requests that the broker takes.
pub(crate) struct Versions;

impl Api for Versions {
    const KEY: i16 = 18;
    const VERSION: i16 = 0;
    /// An error, and for each request its number, its first version and its last one.
    type Answer = (i16, Vec<[i16; 3]>);

    fn write(&self, _: &mut Writer) {}

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        let error = answer.i16()?;
        let ranges = answer.array(|answer| Ok([answer.i16()?, answer.i16()?, answer.i16()?]))?;
        Ok((error, ranges))
    }
}

/// The brokers, and one topic.
pub(crate) struct Metadata<'a> {
    pub topic: Option<&'a str>,
    /// A topic that is missing is made, where the cluster makes topics by itself.
    pub creates: bool,
}

pub(crate) struct Broker {
    pub node: i32,
    pub host: String,
    pub port: u16,
}

pub(crate) struct Topic {
    pub error: i16,
    pub name: String,
    /// The error and the leader of each partition, by its number.
    pub partitions: Vec<(i16, i32, i32)>,
}

pub(crate) struct Cluster {
    pub brokers: Vec<Broker>,
    pub id: Option<String>,
    pub topics: Vec<Topic>,
}

impl Api for Metadata<'_> {
    const KEY: i16 = 3;
    const VERSION: i16 = 4;
    const LIMIT: usize = 8 << 20;
    type Answer = Cluster;

    fn write(&self, out: &mut Writer) {
        out.array(self.topic.iter(), |out, topic| out.string(topic));
        out.i8(self.creates.into());
    }

    fn read(answer: &mut Reader<'_>) -> Result<Cluster, Odd> {
        answer.i32()?;
        let brokers = answer.array(|answer| {
            let (node, host, port) = (answer.i32()?, answer.string()?, answer.i32()?);
            answer.nullable()?;
            let port = u16::try_from(port).map_err(|_| Odd("a port is none"))?;
            Ok(Broker { node, host, port })
        })?;
        let id = answer.nullable()?;
        answer.i32()?;
        let topics = answer.array(|answer| {
            let (error, name) = (answer.i16()?, answer.string()?);
            answer.i8()?;
            let partitions = answer.array(|answer| {
                let partition = (answer.i16()?, answer.i32()?, answer.i32()?);
                answer.array(Reader::i32)?;
                answer.array(Reader::i32)?;
                Ok(partition)
            })?;
            Ok(Topic {
                error,
                name,
                partitions,
            })
        })?;
        Ok(Cluster {
            brokers,
            id,
            topics,
        })
    }
}

/// The broker that knows a group.
pub(crate) struct FindCoordinator<'a> {
    pub group: &'a str,
}

impl Api for FindCoordinator<'_> {
    const KEY: i16 = 10;
    const VERSION: i16 = 1;
    type Answer = (i16, Broker);

    fn write(&self, out: &mut Writer) {
        out.string(self.group);
        out.i8(0);
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        answer.i32()?;
        let error = answer.i16()?;
        answer.nullable()?;
        let (node, host, port) = (answer.i32()?, answer.string()?, answer.i32()?);
        let port = u16::try_from(port).unwrap_or_default();
        Ok((error, Broker { node, host, port }))
    }
}

/// A number for a producer, by which the broker knows what comes twice.
pub(crate) struct InitProducerId;

impl Api for InitProducerId {
    const KEY: i16 = 22;
    const VERSION: i16 = 0;
    /// An error, the number and its epoch.
    type Answer = (i16, i64, i16);

    fn write(&self, out: &mut Writer) {
        out.nullable(None);
        out.i32(60_000);
    }

    fn read(answer: &mut Reader<'_>) -> Result<Self::Answer, Odd> {
        answer.i32()?;
        Ok((answer.i16()?, answer.i64()?, answer.i16()?))
    }
}
