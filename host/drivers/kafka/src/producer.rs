//! Publishing: a lane for each partition, in which one batch is on its way at a time. The broker numbers producers and
//! their batches, so that one which is sent again, as nobody knew of it, is stored once.

mod lane;

use crate::{client::Client, codec::Codec, records::Record};
use lane::{Job, Lane};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};
use wythe_blocks::{Error, Result, time::Clock as _};

/// Bytes of records that wait for the cluster, in all lanes: a publish that was given up is under way still.
const WAITING: usize = 64 << 20;

pub(crate) struct Producer {
    client: Arc<Client>,
    writing: Writing,
    lanes: Arc<Lanes>,
    /// The partition of what has no key takes turns.
    turn: AtomicUsize,
    waiting: Arc<AtomicUsize>,
}

/// Bytes of records that wait, for as long as it is there.
struct Held {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    /// Counts so many bytes more; none where there are too many. One publish may have more than all of the room.
    fn new(all: &Arc<AtomicUsize>, bytes: usize) -> Option<Self> {
        let before = all.fetch_add(bytes, Relaxed);
        let all = all.clone();
        let held = Held { all, bytes };
        (before == 0 || before.saturating_add(bytes) <= WAITING).then_some(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Relaxed);
    }
}

/// The way in which a component writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing {
    /// Bytes of a batch, before it is packed.
    pub max_batch: usize,
    pub codec: Option<Codec>,
}

impl Writing {
    /// Bytes of the records of a batch.
    pub fn room(self) -> usize {
        self.max_batch - crate::records::HEAD
    }
}

type Lanes = Mutex<HashMap<(String, i32), mpsc::UnboundedSender<Job>>>;

impl Producer {
    pub fn new(client: Arc<Client>, writing: Writing) -> Self {
        Producer {
            client,
            writing,
            lanes: Arc::default(),
            turn: AtomicUsize::new(wythe_blocks::random::next() as usize),
            waiting: Arc::default(),
        }
    }

    /// Publishes records; one result for each, in order. Those of one key are stored in their order.
    pub async fn send(&self, topic: &str, records: Vec<Record>) -> Vec<Result<()>> {
        let found = match self.client.topic(topic).await {
            Ok(found) => found,
            Err(error) => return records.iter().map(|_| Err(error.duplicate())).collect(),
        };
        let bytes = records.iter().map(Record::size).sum();
        let Some(held) = Held::new(&self.waiting, bytes).map(Arc::new) else {
            return records.iter().map(|_| Err(full())).collect();
        };
        let (count, total) = (found.leaders.len(), records.len());
        let turn = self.turn.fetch_add(1, Relaxed) % count;
        let mut parts: BTreeMap<usize, Vec<(usize, Record)>> = BTreeMap::new();
        for (number, record) in records.into_iter().enumerate() {
            let partition = record.key.as_ref().map_or(turn, |key| place(key, count));
            parts.entry(partition).or_default().push((number, record));
        }
        let mut waiting = Vec::new();
        for (partition, part) in parts {
            for (numbers, records) in self.cut(part) {
                let answer = self.enter(topic, partition, (records, held.clone()));
                waiting.push((numbers, answer));
            }
        }
        drop(held);
        let mut answers: Vec<_> = (0..total).map(|_| Ok(())).collect();
        for (numbers, answer) in waiting {
            let result = answer.await.unwrap_or_else(|_| Err(unknown(topic)));
            for number in numbers {
                answers[number] = match &result {
                    Ok(()) => Ok(()),
                    Err(error) => Err(error.duplicate()),
                };
            }
        }
        answers
    }

    /// Refuses a record that is larger than a batch may be.
    pub fn check(&self, record: &Record) -> Result<()> {
        let (size, room) = (record.size(), self.room());
        match size <= room {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "a message that is {size} bytes with its key and its attributes; at most {room} are allowed, by `maxMessageBytes`"
            ))),
        }
    }

    /// Cuts records into batches that are not too large.
    fn cut(&self, part: Vec<(usize, Record)>) -> Vec<(Vec<usize>, Vec<Record>)> {
        let mut batches: Vec<(Vec<usize>, Vec<Record>)> = Vec::new();
        let mut bytes = usize::MAX;
        for (number, record) in part {
            bytes = bytes.saturating_add(record.size());
            if bytes > self.room() {
                bytes = record.size();
                batches.push(Default::default());
            }
            if let Some((numbers, records)) = batches.last_mut() {
                numbers.push(number);
                records.push(record);
            }
        }
        batches
    }

    /// Bytes of the records of a batch.
    pub fn room(&self) -> usize {
        self.writing.room()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends once its lane is idle, or its producer is gone"
    )]
    fn enter(
        &self,
        topic: &str,
        partition: usize,
        (records, held): (Vec<Record>, Arc<Held>),
    ) -> oneshot::Receiver<Result<()>> {
        let (answer, waiting) = oneshot::channel();
        let job = Job {
            size: records.iter().map(Record::size).sum(),
            records,
            deadline: Instant::now().after(self.client.target.timeout),
            answer,
            _held: held,
        };
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        let mut lanes = self.lanes.lock();
        let lane = lanes
            .entry((topic.to_owned(), partition))
            .or_insert_with(|| {
                let (sender, jobs) = mpsc::unbounded_channel();
                let lane = Lane::new(
                    self.client.clone(),
                    (topic.to_owned(), partition),
                    self.writing,
                );
                tokio::spawn(lane.run(jobs, Arc::downgrade(&self.lanes)));
                sender
            });
        // A lane that is gone drops the job, and with it the answer.
        let _ = lane.send(job);
        waiting
    }

    /// Ends every lane, once what is in it has an answer.
    pub fn close(&self) {
        self.lanes.lock().clear();
    }
}

fn unknown(topic: &str) -> Error {
    Error::unknown_outcome(format!(
        "whether a message to `{topic}` was written is not known"
    ))
}

fn full() -> Error {
    Error::exhausted(format!(
        "more than {} MiB of messages wait for the cluster: publish again once it takes them",
        WAITING >> 20
    ))
}

/// The partition of a key, as Dapr's client chooses it: by FNV-1a.
fn place(key: &[u8], count: usize) -> usize {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = key.iter().fold(0x811c_9dc5, step) as i32;
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    (hash % count).unsigned_abs() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_partition_that_other_clients_give_it() {
        // FNV-1a of `a` is 0xe40c292c, and of `foobar` 0xbf9cf968: both negative as they are counted.
        assert_eq!(
            place(b"a", 10),
            (0xe40c_292c_u32 as i32 % 10).unsigned_abs() as usize
        );
        assert_eq!(
            place(b"foobar", 7),
            (0xbf9c_f968_u32 as i32 % 7).unsigned_abs() as usize
        );
        assert_eq!(place(b"", 1), 0);
        assert!((0..100_u8).all(|byte| place(&[byte], 3) < 3));
    }

    #[test]
    fn what_waits_is_bounded_and_one_publish_is_always_taken() {
        let all = Arc::new(AtomicUsize::new(0));
        let first = Held::new(&all, WAITING - 1);
        assert!(first.is_some());
        assert!(Held::new(&all, 2).is_none());
        let second = Held::new(&all, 1);
        assert!(second.is_some());
        drop((first, second));
        assert_eq!(all.load(Relaxed), 0);
        assert!(Held::new(&all, 2 * WAITING).is_some());
    }
}
