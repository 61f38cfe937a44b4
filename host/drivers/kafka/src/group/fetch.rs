//! Reading: one request at a time to each broker that leads a partition of the member's share.

use super::{End, Group};
use crate::{
    api::{Fetch, Fetched},
    desk::Desk,
    fault,
    link::{Link, Lost},
    records::{Read, UNPACKED, Unread, decode},
    wire::Odd,
};
use futures::future::select_all;
use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};
use tokio::time::{sleep, timeout};
use wythe_blocks::{Backoff, Error, Kind, Result, time::milliseconds};

/// The time that a broker waits for records.
const WAIT: Duration = Duration::from_millis(500);
/// The pause after reading has failed, and after a batch that cannot be read.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
const UNREADABLE: Duration = Duration::from_secs(1);
/// The time between two looks whether there is room again.
const ROOM: Duration = Duration::from_millis(20);

/// Bytes of memory that the records of one answer may come to: the rest of it is asked for again.
const BYTES: usize = 32 << 20;

/// The partitions of one broker, with their desks.
type Part = Vec<(Arc<Desk>, i32)>;

impl Group {
    /// Reads until there is nothing more that another try could change.
    pub(super) async fn fetch(&self) -> Result<Infallible, End> {
        let mut pause = PAUSE;
        loop {
            let error = match self.plan().await {
                Ok(plan) if plan.is_empty() => std::future::pending().await,
                Ok(plan) => {
                    let loops = plan.iter().map(|(broker, part)| {
                        Box::pin(async {
                            let mut is_read = false;
                            let ended = self.read(broker, part, &mut is_read).await;
                            (ended, is_read)
                        })
                    });
                    let ((ended, is_read), ..) = select_all(loops).await;
                    if is_read {
                        pause.reset();
                    }
                    let Err(error) = ended;
                    error
                }
                Err(error) => error,
            };
            if error.kind() != Kind::Unavailable {
                return Err(End::Failed(error));
            }
            tracing::debug!(group = self.name, "fetch: {}", error.chain());
            for desk in self.desks() {
                self.client.forget(&desk.topic);
            }
            sleep(pause.fail_apart()).await;
        }
    }

    /// The share by the brokers that lead it.
    async fn plan(&self) -> Result<HashMap<(String, u16), Part>> {
        let mut plan: HashMap<_, Part> = HashMap::new();
        for desk in self.desks() {
            for partition in desk.partitions() {
                let broker = self.client.leader(&desk.topic, partition).await?;
                let part = plan.entry(broker).or_default();
                part.push((desk.clone(), partition));
            }
        }
        Ok(plan)
    }

    /// Reads from one broker.
    async fn read(
        &self,
        broker: &(String, u16),
        part: &Part,
        is_read: &mut bool,
    ) -> Result<Infallible> {
        let link = timeout(
            self.client.target.timeout,
            Link::open(&self.client.target, broker),
        );
        let link = link.await.map_err(|_| Lost::Late.error())??;
        let mut turn = 0_usize;
        loop {
            let Some(request) = wanted(part, turn) else {
                sleep(ROOM).await;
                continue;
            };
            let answer = link.ask(&request, WAIT + self.client.target.timeout).await;
            let (code, answer) = answer.map_err(Lost::error)?;
            fault::check(code, "what it was asked for")?;
            *is_read = true;
            turn = turn.wrapping_add(1);
            let mut room = BYTES;
            for (topic, all) in answer {
                for fetched in all {
                    room -= self.add(part, &request, (&topic, fetched), room).await?;
                }
            }
        }
    }

    /// Takes what came of a partition, as far as there is room; returns how much of that it needs.
    async fn add(
        &self,
        part: &Part,
        request: &Fetch,
        (topic, fetched): (&str, Fetched),
        room: usize,
    ) -> Result<usize> {
        let number = fetched.partition;
        let found = part
            .iter()
            .find(|(desk, partition)| desk.topic == topic && *partition == number);
        let asked = request.topics.iter().find(|(asked, _)| asked == topic);
        let mut asked = asked.into_iter().flat_map(|(_, all)| all);
        let (Some((desk, _)), Some((_, from))) = (found, asked.find(|(asked, _)| *asked == number))
        else {
            return Ok(0);
        };
        match fetched.error {
            0 => {}
            fault::OFFSET_OUT_OF_RANGE => {
                let first = self.client.offset(topic, number, true).await?;
                tracing::warn!(
                    group = self.name,
                    topic,
                    partition = number,
                    from,
                    to = first,
                    "the cluster does not have the next event any more, and goes on with the first that it has"
                );
                desk.skip(number, first);
                return Ok(0);
            }
            code => return Err(fault::of(code, &format!("the topic `{topic}`"))),
        }
        if fetched.records.is_empty() || room == 0 {
            return Ok(0);
        }
        let (read, decoded) = read(fetched.records, *from, room).await;
        let size = read.size.min(room);
        if read.next.is_some() {
            desk.add(number, *from, read);
        } else if let Err(unread) = decoded {
            desk.fail(unreadable(&unread, (topic, number, *from)));
            sleep(UNREADABLE).await;
        }
        Ok(size)
    }
}

/// The next request to a broker, where anything is wanted. Partitions take turns at being the first, for what is behind in an
/// answer may find no room.
fn wanted(part: &Part, turn: usize) -> Option<Fetch> {
    let mut topics: BTreeMap<&str, Vec<(i32, i64)>> = BTreeMap::new();
    for (desk, partition) in part {
        if let Some(offset) = desk.wants(*partition) {
            let topic = topics.entry(&desk.topic).or_default();
            topic.push((*partition, offset));
        }
    }
    let topics = topics.into_iter();
    let mut topics: Vec<_> = topics
        .map(|(topic, mut all)| {
            let first = turn % all.len();
            all.rotate_left(first);
            (topic.to_owned(), all)
        })
        .collect();
    let first = turn % topics.len().max(1);
    topics.rotate_left(first);
    (!topics.is_empty()).then(|| Fetch {
        wait: i32::try_from(milliseconds(WAIT)).unwrap_or(i32::MAX),
        topics,
    })
}

/// Reads what came of one partition, on a thread for what takes long.
async fn read(records: Vec<u8>, from: i64, room: usize) -> (Read, Result<(), Unread>) {
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Read::default();
        let decoded = decode(&records, from, room, &mut read);
        (read, decoded)
    });
    let broken = |_| {
        (
            Read::default(),
            Err(Odd("a batch cannot be unpacked").into()),
        )
    };
    read.await.unwrap_or_else(broken)
}

fn unreadable(unread: &Unread, (topic, partition, from): (&str, i32, i64)) -> Error {
    let place = format!("at offset {from} of partition {partition} of the topic `{topic}`");
    match unread {
        Unread::Odd(odd) => Error::from(*odd).map_message(|message| format!("{message} ({place})")),
        Unread::Compressed(kind) => Error::unsupported(format!(
            "a batch {place} is compressed in a way without a name (kind {kind}): publish by `gzip`, `snappy`, `lz4` or `zstd`, or without compression"
        )),
        Unread::Large => Error::unsupported(format!(
            "a batch {place} has more than {} MiB when it is unpacked: have its producer write smaller ones (`batch.size`), and move the group's offset behind it",
            UNPACKED >> 20
        )),
        Unread::Format(format) => Error::unsupported(format!(
            "a batch {place} has the message format {format}; expected 2, which Kafka writes since 0.11"
        )),
    }
}
