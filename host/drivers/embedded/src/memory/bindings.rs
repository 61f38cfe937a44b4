//! A box of records in memory, for tests and demonstrations: what is put in is delivered to whoever listens.

use crate::shared::AGAIN;
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Result, Site,
    bindings::{Delivery, Driver, Features, Outcome, Request, Sink},
    time::Clock as _,
};
use wythe_manifest::ByteSize;

const MAX_RECORDS: usize = 10_000;
const MAX_BYTES: u64 = 64 << 20;
/// Bytes of a key.
const MAX_KEY: usize = 1_024;
const KEY: &str = "key";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Records that are kept; default 10,000.
    max_records: Option<usize>,
    /// Bytes of all their data; default 64 MiB.
    max_bytes: Option<ByteSize>,
}

pub(super) async fn open(config: Config, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Memory {
        records: Mutex::default(),
        created: Notify::new(),
        max_records: config.max_records.unwrap_or(MAX_RECORDS),
        max_bytes: config.max_bytes.map_or(MAX_BYTES, u64::from),
    }))
}

struct Memory {
    records: Mutex<Records>,
    created: Notify,
    max_records: usize,
    max_bytes: u64,
}

#[derive(Default)]
struct Records {
    by_key: BTreeMap<String, Record>,
    bytes: u64,
    sequence: u64,
}

struct Record {
    /// Number of its creation: one that is created anew is another record.
    sequence: u64,
    data: Bytes,
    metadata: Vec<(String, String)>,
    /// Time of its next delivery; absent once the app has it.
    due: Option<Instant>,
    attempts: u32,
}

impl Records {
    fn remove(&mut self, key: &str) -> Option<Record> {
        let record = self.by_key.remove(key)?;
        self.bytes -= record.data.len() as u64;
        Some(record)
    }

    /// The one that waits longest, and when it is due.
    fn next(&self) -> Option<(Instant, &String, &Record)> {
        let waiting = self.by_key.iter();
        let waiting = waiting.filter_map(|(key, record)| Some((record.due?, key, record)));
        waiting.min_by_key(|(due, _, record)| (*due, record.sequence))
    }
}

impl Memory {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock()
    }

    fn create(&self, request: Request<'_>) -> Result<Outcome> {
        let key = match request.get(KEY) {
            Some(key) => checked(key)?.to_owned(),
            None => wythe_blocks::random::name()?,
        };
        let mut records = self.records();
        let old = records.by_key.get(&key).map(|old| old.data.len() as u64);
        let bytes = records.bytes - old.unwrap_or(0) + request.data.len() as u64;
        let count = records.by_key.len() + usize::from(old.is_none());
        if count > self.max_records || bytes > self.max_bytes {
            return Err(Error::exhausted(format!(
                "the box is full: it takes {} records and {} bytes; delete some, or see `maxRecords` and `maxBytes`",
                self.max_records, self.max_bytes
            )));
        }
        records.remove(&key);
        records.sequence += 1;
        records.bytes = bytes;
        let others = request.metadata.iter();
        let others = others.filter(|(name, _)| !name.eq_ignore_ascii_case(KEY));
        let record = Record {
            sequence: records.sequence,
            data: request.data.clone(),
            metadata: others.cloned().collect(),
            due: Some(Instant::now()),
            attempts: 0,
        };
        records.by_key.insert(key.clone(), record);
        self.created.notify_one();
        let answer = serde_json::json!({ KEY: key });
        Ok(Outcome {
            data: answer.to_string().into(),
            metadata: vec![(KEY.into(), key)],
        })
    }

    fn get(&self, key: &str) -> Result<Outcome> {
        let records = self.records();
        let record = records.by_key.get(key).ok_or_else(|| missing(key))?;
        let mut metadata = record.metadata.clone();
        metadata.push((KEY.into(), key.to_owned()));
        let data = record.data.clone();
        Ok(Outcome { data, metadata })
    }

    fn list(&self) -> Outcome {
        let keys = serde_json::json!(self.records().by_key.keys().collect::<Vec<_>>());
        Outcome {
            data: keys.to_string().into(),
            metadata: Vec::new(),
        }
    }

    /// Returns a record that is due now, or the time at which one will be.
    fn due(&self) -> Result<(String, u64, Delivery), Option<Instant>> {
        let records = self.records();
        let Some((due, key, record)) = records.next() else {
            return Err(None);
        };
        if due > Instant::now() {
            return Err(Some(due));
        }
        let mut metadata = record.metadata.clone();
        metadata.push((KEY.into(), key.clone()));
        let delivery = Delivery {
            data: record.data.clone(),
            metadata,
            attempt: record.attempts + 1,
        };
        Ok((key.clone(), record.sequence, delivery))
    }

    fn settle(&self, key: &str, sequence: u64, taken: bool) {
        let mut records = self.records();
        let record = records.by_key.get_mut(key);
        // Meanwhile it may be gone, or another one.
        if let Some(record) = record.filter(|record| record.sequence == sequence) {
            record.attempts += 1;
            record.due = (!taken).then(|| Instant::now().after(AGAIN.after(record.attempts)));
        }
    }
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features {
            operations: ["create", "delete", "get", "list"].map(String::from).into(),
            input: true,
            redelivers: true,
            secrets: false,
        }
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let key = || {
            let key = request.get(KEY);
            checked(key.ok_or_else(|| Error::invalid("no `key` in the metadata; expected one"))?)
        };
        match request.operation {
            "create" => self.create(request),
            "get" => self.get(key()?),
            "list" => Ok(self.list()),
            _ => {
                let key = key()?;
                let removed = self.records().remove(key);
                removed
                    .map(|_| Outcome::default())
                    .ok_or_else(|| missing(key))
            }
        }
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        while !stop.is_cancelled() {
            match self.due() {
                Ok((key, sequence, delivery)) => {
                    let taken = sink.deliver(delivery).await.is_ok();
                    self.settle(&key, sequence, taken);
                }
                Err(due) => tokio::select! {
                    () = stop.cancelled() => break,
                    () = self.created.notified() => {}
                    () = until(due) => {}
                },
            }
        }
        Ok(())
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn checked(key: &str) -> Result<&str> {
    match key.len() {
        1..=MAX_KEY => Ok(key),
        length => Err(Error::invalid(format!(
            "a `key` of {length} bytes; expected 1 to {MAX_KEY}"
        ))),
    }
}

fn missing(key: &str) -> Error {
    Error::not_found(format!("no record `{}`", key.escape_debug()))
}
