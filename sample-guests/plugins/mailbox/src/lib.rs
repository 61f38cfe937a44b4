//! A binding in memory whose output is its input: what apps create is delivered, until an app takes it.
//!
//! The operations are `create`, `delete`, `get` and `list`; the name of a record is the metadata `key`. The component's
//! metadata may have `maxRecords`, 1000 unless it says otherwise.
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wythe_sdk::plugin::bindings::{
    Answer, Delivery, InputBindingDriver, Outcome, OutputBindingDriver,
};
use wythe_sdk::plugin::{Metadata, Plugin};
use wythe_sdk::{Error, Kind, Result};

/// The pause before what was refused is delivered again; it doubles with each time, up to the last.
const FIRST: Duration = Duration::from_millis(500);
const LAST: Duration = Duration::from_secs(60);
/// The time after which a delivery that was never settled is delivered again.
const LEASE: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Mailbox {
    records: BTreeMap<String, Record>,
    /// Records that there ever were.
    count: u64,
    max_records: usize,
}

struct Record {
    /// The number of the record, among all that ever had its key.
    number: u64,
    data: Vec<u8>,
    metadata: Vec<(String, String)>,
    attempts: u32,
    /// The time when it is delivered; absent once an app has it.
    due: Option<Instant>,
}

impl Plugin for Mailbox {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&["maxRecords"])?;
        Ok(Self {
            max_records: metadata.number("maxRecords", 1_000)?,
            ..Self::default()
        })
    }
}

impl OutputBindingDriver for Mailbox {
    fn operations(&self) -> Vec<String> {
        ["create", "delete", "get", "list"]
            .map(str::to_owned)
            .into()
    }

    fn invoke(&mut self, operation: &str, data: Vec<u8>, metadata: Metadata) -> Result<Outcome> {
        match operation {
            "create" => self.create(data, metadata),
            "get" => self.get(key(&metadata)?),
            "list" => Ok(outcome(
                serde_json::to_vec(&self.records.keys().collect::<Vec<_>>())?,
                Vec::new(),
            )),
            _ => {
                let key = key(&metadata)?;
                let removed = self.records.remove(key);
                removed.ok_or_else(|| missing(key))?;
                Ok(outcome(Vec::new(), Vec::new()))
            }
        }
    }
}

impl Mailbox {
    fn create(&mut self, data: Vec<u8>, metadata: Metadata) -> Result<Outcome> {
        let key = match metadata.get("key") {
            Some(key) => key.to_owned(),
            None => format!("record-{}", self.count),
        };
        if self.records.len() >= self.max_records && !self.records.contains_key(&key) {
            return Err(Error::new(Kind::Exhausted, "the mailbox is full"));
        }
        self.count += 1;
        let others = metadata
            .names()
            .filter(|name| !name.eq_ignore_ascii_case("key"));
        let others = others.map(|name| {
            let value = metadata.get(name).unwrap_or_default();
            (name.to_owned(), value.to_owned())
        });
        let record = Record {
            number: self.count,
            data,
            metadata: others.collect(),
            attempts: 0,
            due: Some(Instant::now()),
        };
        self.records.insert(key.clone(), record);
        Ok(outcome(Vec::new(), vec![("key".to_owned(), key)]))
    }

    fn get(&self, key: &str) -> Result<Outcome> {
        let record = self.records.get(key).ok_or_else(|| missing(key))?;
        Ok(outcome(record.data.clone(), told(key, record)))
    }
}

impl InputBindingDriver for Mailbox {
    fn redelivers(&self) -> bool {
        true
    }

    fn pull(&mut self, max: u32) -> Result<Vec<Delivery>> {
        let now = Instant::now();
        let due = self
            .records
            .iter_mut()
            .filter(|(_, record)| record.due.is_some_and(|due| due <= now));
        let mut due: Vec<_> = due.collect();
        due.sort_by_key(|(_, record)| record.number);
        due.truncate(max as usize);
        let deliver = |(key, record): (&String, &mut Record)| {
            record.due = Some(now + LEASE);
            Delivery {
                data: record.data.clone(),
                metadata: told(key, record),
                attempt: record.attempts + 1,
                receipt: record.number.to_le_bytes().into(),
            }
        };
        Ok(due.into_iter().map(deliver).collect())
    }

    fn settle(&mut self, receipt: &[u8], answer: Answer) -> Result<()> {
        let mut records = self.records.values_mut();
        let settled = records.find(|record| record.number.to_le_bytes() == receipt);
        // One that was deleted or replaced meanwhile is not there any more.
        if let Some(record) = settled {
            record.attempts += 1;
            record.due = match answer {
                Answer::Ack(_) => None,
                Answer::Nack(_) => Some(Instant::now() + pause(record.attempts)),
            };
        }
        Ok(())
    }
}

fn pause(attempts: u32) -> Duration {
    (FIRST * 2_u32.pow(attempts.clamp(1, 8) - 1)).min(LAST)
}

fn key(metadata: &Metadata) -> Result<&str> {
    let key = metadata.get("key");
    key.ok_or_else(|| Error::invalid("no `key` in the metadata; expected one"))
}

fn missing(key: &str) -> Error {
    Error::not_found(format!("no record `{key}`"))
}

/// A record's metadata, with its name.
fn told(key: &str, record: &Record) -> Vec<(String, String)> {
    let mut metadata = record.metadata.clone();
    metadata.push(("key".to_owned(), key.to_owned()));
    metadata
}

fn outcome(data: Vec<u8>, metadata: Vec<(String, String)>) -> Outcome {
    Outcome { data, metadata }
}

wythe_sdk::binding_plugin!(Mailbox);
