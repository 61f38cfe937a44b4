//! The interface of a job store: durable rows, the due ones first, changed by compare-and-set. Time is the block's
//! part.

use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use std::time::Duration;

pub use crate::time::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    Once(Timestamp),
    Every(Duration),
    Cron {
        expression: String,
        time_zone: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    Drop,
    Retry {
        interval: Duration,
        /// The most tries; absent for tries until it succeeds.
        max_retries: Option<u32>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfire {
    One,
    All,
    Skip,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub name: String,
    pub trigger: Trigger,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub repeats: Option<u32>,
    pub data: Bytes,
    pub on_failure: FailurePolicy,
    pub on_misfire: Misfire,
}

/// A job as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub app: String,
    pub job: Job,
    /// A random number for each `schedule`: part of the occurrence id, so that a job that is scheduled anew has other
    /// ids.
    pub incarnation: u64,
    /// Changes with every write of the row, by the block: what compare-and-set compares.
    pub version: u64,
    /// The due time of the occurrence that comes next or is under way; absent where none is left.
    pub due: Option<Timestamp>,
    /// The time to look at the row: `due`, or the time of the next attempt. Absent where the job is paused.
    pub wake: Option<Timestamp>,
    /// Failed attempts at the occurrence.
    pub attempts: u32,
    pub paused: bool,
    /// Occurrences that are done with.
    pub occurrences: u64,
    pub failure: Option<String>,
}

/// A change of a row that only happens if the row still has this version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settle {
    pub app: String,
    pub name: String,
    pub version: u64,
    /// The row that comes next; absent where the job is over and its row goes.
    pub row: Option<Row>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub rows: Vec<Row>,
    /// A name: the next page holds names after it.
    pub next: Option<String>,
}

/// The abilities of a driver; conformance proves them and the block relies on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// A scheduled job survives power loss.
    pub durable: bool,
    /// [`Driver::count`] says how many rows there are, so that a tenant has so many (`quotas.jobs`) and no more.
    pub counted: bool,
}

impl Features {
    /// Returns whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "durable" => self.durable,
            "counted" => self.counted,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 2] = ["durable", "counted"];
}

/// A technology that stores jobs.
#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// The number of all rows, of every app, known at once; none where the driver cannot say it.
    fn count(&self) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Writes a row; `conflict` if there is one of this app and name and `overwrite` is false.
    async fn put(&self, row: Row, overwrite: bool) -> Result<()>;

    async fn get(&self, app: &str, name: &str) -> Result<Option<Row>>;

    /// Deletes a row; deleting what is absent is ok.
    async fn delete(&self, app: &str, name: &str) -> Result<()>;

    /// Rows of an app whose names start with `prefix` and come after `cursor`, in byte order.
    async fn list(&self, app: &str, prefix: &str, cursor: Option<&str>, limit: u32)
    -> Result<Page>;

    /// The rows of an app whose `wake` is not after `until`, the earliest first. A row that was handed out is not handed
    /// out again before it was written, or `lease` is over: another host that shares the store gets it then.
    async fn take(
        &self,
        app: &str,
        until: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Row>>;

    /// The earliest `wake` of the app's rows that are not handed out.
    async fn next(&self, app: &str) -> Result<Option<Timestamp>>;

    /// The number of the app's rows whose `wake` is not after `until` and that are not handed out, at a cost that is bounded
    /// by `limit`, at which it stops counting; none where the driver cannot say it. A driver that is `counted` can.
    async fn overdue(&self, _app: &str, _until: Timestamp, _limit: u32) -> Result<Option<u64>> {
        Ok(None)
    }

    /// One result per change, in order; `conflict` for a row that has another version or is gone.
    async fn settle(&self, changes: Vec<Settle>) -> Vec<Result<()>>;

    /// The server that it speaks to, in one line for operators: its name, version and address, and no secret.
    fn describe(&self) -> Option<String> {
        None
    }

    /// An error while the driver cannot do its work, and knows it without trying.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the driver, once, after the last call.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
