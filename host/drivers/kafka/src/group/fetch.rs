//! Reading: one request at a time to each broker that leads a partition of the member's share.

use super::{End, Group};
use crate::{
    api::{Fetch, Fetched},
    desk::Desk,
    fault,
    link::{Link, Lost},
    records::{Read, Unread, decode},
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
        loop {
            let mut wanted: BTreeMap<&str, Vec<(i32, i64)>> = BTreeMap::new();
            for (desk, partition) in part {
                if let Some(offset) = desk.wants(*partition) {
                    let topic = wanted.entry(&desk.topic).or_default();
                    topic.push((*partition, offset));
                }
            }
            if wanted.is_empty() {
                sleep(ROOM).await;
                continue;
            }
            let topics = wanted.into_iter();
            let topics = topics.map(|(topic, all)| (topic.to_owned(), all));
            let request = Fetch {
                wait: i32::try_from(milliseconds(WAIT)).unwrap_or(i32::MAX),
                topics: topics.collect(),
            };
            let answer = link.ask(&request, WAIT + self.client.target.timeout).await;
            let answer = answer.map_err(Lost::error)?;
            *is_read = true;
            for (topic, all) in answer {
                for fetched in all {
                    self.add(part, &request, &topic, fetched).await?;
                }
            }
        }
    }

    async fn add(&self, part: &Part, request: &Fetch, topic: &str, fetched: Fetched) -> Result<()> {
        let number = fetched.partition;
        let found = part
            .iter()
            .find(|(desk, partition)| desk.topic == topic && *partition == number);
        let asked = request.topics.iter().find(|(asked, _)| asked == topic);
        let mut asked = asked.into_iter().flat_map(|(_, all)| all);
        let (Some((desk, _)), Some((_, from))) = (found, asked.find(|(asked, _)| *asked == number))
        else {
            return Ok(());
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
                return Ok(());
            }
            code => return Err(fault::of(code, &format!("the topic `{topic}`"))),
        }
        let mut read = Read::default();
        let decoded = decode(&fetched.records, &mut read);
        if !read.records.is_empty() || read.next.is_some() {
            desk.add(number, *from, read);
        } else if let Err(unread) = decoded {
            desk.fail(unreadable(&unread, topic, number));
            sleep(UNREADABLE).await;
        }
        Ok(())
    }
}

fn unreadable(unread: &Unread, topic: &str, partition: i32) -> Error {
    let place = format!("partition {partition} of the topic `{topic}`");
    match unread {
        Unread::Odd(odd) => Error::from(*odd),
        Unread::Compressed(kind) => Error::unsupported(format!(
            "a batch in {place} is compressed (kind {kind}), which this build does not read: publish without compression, and set the topic's `compression.type` to `uncompressed` or `producer`"
        )),
        Unread::Format(format) => Error::unsupported(format!(
            "a batch in {place} has the message format {format}; expected 2, which Kafka writes since 0.11"
        )),
    }
}
