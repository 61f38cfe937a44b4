//! The lane of a partition: batches one after the other, each until it is stored, refused, or nobody knows.

use super::{Held, Lanes, Writing, unknown};
use crate::{
    api::{InitProducerId, Produce},
    client::Client,
    fault,
    link::{Link, Lost},
    records::{Record, Stamp, encode},
};
use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, timeout, timeout_at},
};
use wythe_blocks::{
    Backoff, Error, Kind, Result,
    time::{milliseconds, since_1970},
};

/// The time after which a lane without work ends.
const IDLE: Duration = Duration::from_secs(60);
/// Records of a batch.
const RECORDS: usize = 10_000;
/// The pause before a batch is sent again.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));

/// Records that are stored all together, or not at all.
pub(super) struct Job {
    pub records: Vec<Record>,
    pub size: usize,
    pub deadline: Instant,
    pub answer: oneshot::Sender<Result<()>>,
    pub _held: Arc<Held>,
}

pub(super) struct Lane {
    client: Arc<Client>,
    topic: String,
    partition: i32,
    writing: Writing,
    /// The number as a producer, and that of the next record; absent before the first batch, and after one in doubt.
    stamp: Option<Stamp>,
}

/// The end of one try.
enum Tried {
    Stored,
    /// It was not stored, and another try may do.
    Again(Error),
    /// The outcome is unknown: it may be stored.
    Doubt,
    /// The broker does not know the producer any more: it stored nothing in this try.
    Forgotten,
    Refused(Error),
}

impl Lane {
    pub fn new(client: Arc<Client>, (topic, partition): (String, i32), writing: Writing) -> Self {
        Lane {
            client,
            topic,
            partition,
            writing,
            stamp: None,
        }
    }

    pub async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>, lanes: Weak<Lanes>) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(job) => job,
                None => match timeout(IDLE, jobs.recv()).await {
                    Ok(Some(job)) => job,
                    Ok(None) => return,
                    Err(_) => {
                        let Some(lanes) = lanes.upgrade() else {
                            return;
                        };
                        let mut lanes = lanes.lock();
                        // Whoever comes sends under the same lock.
                        if jobs.is_empty() {
                            lanes.remove(&(self.topic.clone(), self.partition));
                            return;
                        }
                        continue;
                    }
                },
            };
            let (mut bytes, mut count) = (first.size, first.records.len());
            let mut batch = vec![first];
            while let Ok(job) = jobs.try_recv() {
                (bytes, count) = (bytes + job.size, count + job.records.len());
                if bytes > self.writing.room() || count > RECORDS {
                    next = Some(job);
                    break;
                }
                batch.push(job);
            }
            self.store(batch).await;
        }
    }

    async fn store(&mut self, jobs: Vec<Job>) {
        let deadline = jobs.iter().map(|job| job.deadline).max();
        let deadline = deadline.unwrap_or_else(Instant::now);
        let records: Vec<_> = jobs.iter().flat_map(|job| &job.records).collect();
        let result = self.deliver(&records, deadline).await;
        drop(records);
        // The fault of one is none of the others'.
        let is_of_one = |error: &Error| error.kind() == Kind::Invalid;
        if jobs.len() > 1 && result.as_ref().is_err_and(is_of_one) {
            for job in jobs {
                let records: Vec<_> = job.records.iter().collect();
                let result = self.deliver(&records, job.deadline).await;
                let _ = job.answer.send(result);
            }
            return;
        }
        for job in jobs {
            // Nobody waits any more where a publish was given up.
            let _ = job.answer.send(match &result {
                Ok(()) => Ok(()),
                Err(error) => Err(error.duplicate()),
            });
        }
    }

    /// Sends a batch until its outcome is known, or its time is over.
    async fn deliver(&mut self, records: &[&Record], deadline: Instant) -> Result<()> {
        let (mut pause, mut is_in_doubt) = (PAUSE, false);
        let late =
            || Error::unavailable("the cluster did not take a message in time; nothing was sent");
        let mut last = None;
        loop {
            let tried =
                timeout_at(deadline, self.attempt(records, deadline, &mut is_in_doubt)).await;
            match tried {
                Ok(Tried::Stored) => {
                    let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
                    if let Some(stamp) = &mut self.stamp {
                        stamp.sequence = stamp.sequence.wrapping_add(count) & i32::MAX;
                    }
                    return Ok(());
                }
                Ok(Tried::Refused(error)) if !is_in_doubt => {
                    self.stamp = None;
                    return Err(error);
                }
                Ok(Tried::Forgotten) if !is_in_doubt => self.stamp = None,
                Ok(Tried::Again(error)) => last = Some(error),
                Ok(Tried::Doubt) => {}
                // What would be next could be stored twice, or not in order.
                Ok(Tried::Refused(_) | Tried::Forgotten) | Err(_) => {
                    self.stamp = None;
                    // The leader may be another one by now.
                    self.client.forget(&self.topic);
                    return Err(match is_in_doubt {
                        true => unknown(&self.topic),
                        false => last.unwrap_or_else(late),
                    });
                }
            }
            self.client.forget(&self.topic);
            let pause = sleep(pause.fail_apart());
            let _ = timeout_at(deadline, pause).await;
        }
    }

    /// The connection to the leader, and the stamp of the next batch.
    async fn ready(&mut self) -> Result<(Link, Stamp), Tried> {
        let client = self.client.clone();
        let link = async {
            let broker = client.leader(&self.topic, self.partition).await?;
            client.broker(&broker).await
        };
        let link = link.await.map_err(|error| match error.kind() {
            Kind::Unavailable => Tried::Again(error),
            _ => Tried::Refused(error),
        })?;
        if let Some(stamp) = self.stamp {
            return Ok((link, stamp));
        }
        let answer = link.ask(&InitProducerId, client.target.timeout).await;
        match answer.map_err(|lost| Tried::Again(lost.error()))? {
            (0, producer, epoch) => {
                let stamp = self.stamp.insert(Stamp {
                    producer,
                    epoch,
                    sequence: 0,
                });
                Ok((link, *stamp))
            }
            (code, ..) if fault::passes(code) => Err(Tried::Again(fault::of(code, &self.about()))),
            (code, ..) => Err(Tried::Refused(fault::of(code, &self.about()))),
        }
    }

    /// Sends a batch once; says before it does so that there is doubt, as this may be dropped.
    async fn attempt(
        &mut self,
        records: &[&Record],
        deadline: Instant,
        is_in_doubt: &mut bool,
    ) -> Tried {
        let (link, stamp) = match self.ready().await {
            Ok(ready) => ready,
            Err(tried) => return tried,
        };
        let now = milliseconds(since_1970(SystemTime::now()));
        let now = i64::try_from(now).unwrap_or_default();
        let batch = match self.batch(records, now, stamp).await {
            Ok(batch) => batch,
            Err(error) => return Tried::Refused(error),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let request = Produce {
            topic: &self.topic,
            partition: self.partition,
            batch: &batch,
            wait: i32::try_from(milliseconds(left)).unwrap_or(i32::MAX),
        };
        let before = std::mem::replace(is_in_doubt, true);
        match link.ask(&request, self.client.target.timeout).await {
            Ok(answer) => {
                *is_in_doubt = before;
                let code = answer.first().and_then(|(_, codes)| codes.first().copied());
                self.judge(code.unwrap_or(-1), is_in_doubt)
            }
            Err(Lost::Unsent) => {
                *is_in_doubt = before;
                Tried::Again(Lost::Unsent.error())
            }
            Err(_) => Tried::Doubt,
        }
    }

    /// Writes a batch; one that is to be packed on a thread for what takes long.
    async fn batch(&self, records: &[&Record], now: i64, stamp: Stamp) -> Result<Vec<u8>> {
        let Some(codec) = self.writing.codec else {
            return Ok(encode(records.iter().copied(), now, stamp, None));
        };
        let records: Vec<Record> = records.iter().copied().cloned().collect();
        let packed =
            tokio::task::spawn_blocking(move || encode(records.iter(), now, stamp, Some(codec)));
        let broken = |error| Error::internal("a batch cannot be packed").with_source(error);
        packed.await.map_err(broken)
    }

    fn judge(&self, code: i16, is_in_doubt: &mut bool) -> Tried {
        match code {
            0 | fault::DUPLICATE_SEQUENCE => Tried::Stored,
            fault::OUT_OF_SEQUENCE | fault::UNKNOWN_PRODUCER | fault::INVALID_EPOCH => {
                Tried::Forgotten
            }
            // The leader has it, and too few of the others.
            fault::REQUEST_TIMED_OUT | fault::NOT_ENOUGH_REPLICAS_AFTER | -1 => {
                *is_in_doubt = true;
                Tried::Doubt
            }
            code if fault::passes(code) => Tried::Again(fault::of(code, &self.about())),
            code => Tried::Refused(fault::of(code, &self.about())),
        }
    }

    fn about(&self) -> String {
        format!("a message to the topic `{}`", self.topic)
    }
}
