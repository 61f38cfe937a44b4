//! The record that is kept of an instance beside its journal: as much for a long one as for a short one.

use super::entry::{Hash, Parent};
use crate::workflow::Timestamp;
use crate::{Error, Result, Trace, call::trace_or_none};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is to begin later.
    Pending,
    Running,
    Suspended,
    Completed,
    Failed,
    Terminated,
    /// It cannot go on as it is; `resume` tries again.
    Stalled,
}

impl Status {
    pub const ALL: [Status; 7] = [
        Status::Pending,
        Status::Running,
        Status::Suspended,
        Status::Completed,
        Status::Failed,
        Status::Terminated,
        Status::Stalled,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Running => "running",
            Status::Suspended => "suspended",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Terminated => "terminated",
            Status::Stalled => "stalled",
        }
    }

    pub fn has_ended(self) -> bool {
        matches!(
            self,
            Status::Completed | Status::Failed | Status::Terminated
        )
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An instance as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::workflow) struct Meta {
    pub id: String,
    pub name: String,
    pub app: String,
    /// The digest of the component that it began with.
    pub digest: String,
    pub status: Status,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// The number of the journal: each start under an id, and each continue-as-new, has one of its own.
    pub run: u32,
    /// The index of the next entry.
    pub next: u32,
    /// The hash of the last entry.
    pub hash: Hash,
    pub custom: Option<String>,
    /// The index of the entry whose payload is the output.
    pub output: Option<u32>,
    /// The reason why it failed or stalled.
    pub failure: Option<String>,
    /// The reason why it was suspended.
    pub suspended: Option<String>,
    pub parent: Option<Parent>,
    /// Bytes of the journal.
    #[serde(default)]
    pub bytes: usize,
    /// Steps that began, took long, and did not end before their host did.
    #[serde(default)]
    pub tries: u32,
    /// Runs, one after the other, that ended in continue-as-new and waited for nothing.
    #[serde(default)]
    pub idle_runs: u32,
    /// Number of parents above it.
    #[serde(default)]
    pub depth: u32,
    /// Span of the instance; absent in records of earlier versions.
    #[serde(
        default,
        deserialize_with = "trace_or_none",
        skip_serializing_if = "Option::is_none"
    )]
    pub trace: Option<Trace>,
}

impl Meta {
    pub fn decode(stored: &[u8]) -> Result<Self> {
        serde_json::from_slice(stored).map_err(|error| {
            Error::internal("the record of a workflow instance").with_source(error)
        })
    }

    pub fn encode(&self) -> Result<Bytes> {
        let encoded = serde_json::to_vec(self);
        let encoded = encoded.map_err(|error| {
            Error::internal("the record of a workflow instance").with_source(error)
        })?;
        Ok(encoded.into())
    }
}
