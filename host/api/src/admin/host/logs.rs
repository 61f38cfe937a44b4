//! The last lines that apps logged, and those that come.

use super::House;
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime};
use wythe_blocks::time::timestamp;
use wythe_blocks::{self as blocks, Error, Result};
use wythe_manifest::Name;

/// Lines of one answer.
const LINES: usize = 1_000;
/// The longest time that an answer waits for a line: much less than a command may take.
const WAIT: Duration = Duration::from_secs(20);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// The tenant; the only one where it is absent.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The app; absent for all of them.
    #[serde(default)]
    pub app: Option<String>,
    /// The number to go on with; 0 for the first line that is there.
    #[serde(default)]
    pub from: u64,
    /// Milliseconds since 1970 of the oldest line.
    #[serde(default)]
    pub since: Option<u64>,
    /// True to wait for a line where there is none.
    #[serde(default)]
    pub wait: bool,
}

/// Lines in their order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lines {
    pub lines: Vec<Line>,
    /// The number to go on with.
    pub next: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    /// Milliseconds since 1970.
    pub time: u64,
    pub app: String,
    pub level: String,
    pub trace: String,
    pub message: String,
}

impl Logs {
    pub(super) async fn read(self, house: &House, tenant: &blocks::Tenant) -> Result<Lines> {
        let app = self.app.as_deref().map(str::parse).transpose();
        let app: Option<Name> =
            app.map_err(|error: wythe_manifest::InvalidName| Error::invalid(error.to_string()))?;
        let since = self.since.map(Duration::from_millis);
        let since = since.map(|since| SystemTime::UNIX_EPOCH + since);
        let read = || tenant.logs.from(self.from, app.as_ref(), since, LINES);
        let (mut lines, mut next) = read();
        if self.wait && lines.is_empty() {
            let stopping = house.host.tasks().stopping();
            tokio::select! {
                _ = tokio::time::timeout(WAIT, tenant.logs.grown(next)) => {}
                () = stopping.cancelled() => {}
            }
            (lines, next) = read();
        }
        Ok(Lines {
            lines: lines.iter().map(|line| shown(line)).collect(),
            next,
        })
    }
}

fn shown(line: &blocks::Line) -> Line {
    Line {
        time: timestamp(line.time),
        app: line.app.to_string(),
        level: line.level.to_owned(),
        trace: line.trace.clone(),
        message: line.message.clone(),
    }
}
