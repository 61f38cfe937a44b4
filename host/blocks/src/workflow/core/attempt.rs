//! Attempts of an activity: what comes after each, and when.

use super::{
    entry::{Kind, Retry},
    meta::Meta,
    peers::HostId,
};
use crate::{Error, Result, workflow::Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The pause before an app that was busy is asked again.
const BUSY: u64 = 1_000;
/// The shortest interval between two attempts, by how many there were, and the longest of these.
const FLOOR: u64 = 10;
const LAST_FLOOR: u64 = 500;

/// The row of an activity or a child that is to be started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::workflow) struct Row {
    /// The index of the entry that asks for it.
    pub entry: u32,
    pub attempts: u32,
    pub not_before: Timestamp,
    /// The host that does it, where others could; of rows of earlier builds nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
}

impl Row {
    pub fn encode(self) -> Bytes {
        // A record of numbers has no way to fail.
        serde_json::to_vec(&self).unwrap_or_default().into()
    }

    pub fn decode(stored: &[u8]) -> Result<Self> {
        serde_json::from_slice(stored)
            .map_err(|error| Error::internal("a row of work").with_source(error))
    }

    /// Takes over what somebody else wrote meanwhile.
    pub fn join(&mut self, other: Row) {
        self.attempts = self.attempts.max(other.attempts);
        self.not_before = self.not_before.max(other.not_before);
    }

    /// The state after an attempt that ended like this.
    pub fn after(
        mut self,
        task: u32,
        retry: &Retry,
        outcome: Outcome,
        now: Timestamp,
    ) -> AfterAttempt {
        let attempts = self.attempts.saturating_add(1);
        match outcome {
            Outcome::Busy => {
                self.not_before = now.saturating_add(BUSY);
                AfterAttempt::Wait(self)
            }
            Outcome::Failed { again: true, .. } if attempts < retry.attempts => {
                self.attempts = attempts;
                self.not_before = now.saturating_add(interval(retry, attempts));
                AfterAttempt::Persist(self)
            }
            Outcome::Failed {
                message, timeout, ..
            } => AfterAttempt::End(failed(task, attempts, message, timeout), Bytes::new()),
            Outcome::Done(output) => {
                AfterAttempt::End(Kind::ActivityCompleted { task, attempts }, output)
            }
        }
    }
}

/// Says whether an instance with this record still waits for work of a run.
pub(in crate::workflow) fn is_wanted(meta: &Meta, run: u32) -> bool {
    !meta.status.has_ended() && meta.run == run
}

/// The outcome of an attempt.
#[derive(Clone, Debug)]
pub(in crate::workflow) enum Outcome {
    Done(Bytes),
    Failed {
        message: String,
        again: bool,
        timeout: bool,
    },
    /// The app could not take it now, which is no attempt.
    Busy,
}

/// The next thing to do after an attempt.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::workflow) enum AfterAttempt {
    /// Another attempt at its time; nothing is persisted.
    Wait(Row),
    /// Another attempt, once the row is persisted.
    Persist(Row),
    /// The end, which is delivered to the instance.
    End(Kind, Bytes),
}

fn failed(task: u32, attempts: u32, failure: String, timeout: bool) -> Kind {
    Kind::ActivityFailed {
        task,
        attempts,
        failure,
        timeout,
    }
}

/// The pause before the attempt after so many.
fn interval(retry: &Retry, attempts: u32) -> u64 {
    let exponent = i32::try_from(attempts.saturating_sub(1)).unwrap_or(i32::MAX);
    let first = retry.first_interval.as_millis() as f64;
    let limit = retry.max_interval.as_millis() as f64;
    let wanted = (first * retry.factor.powi(exponent)).min(limit) as u64;
    // Whoever asks for no pause at all gets a small one, which grows with the attempts.
    let floor = FLOOR.saturating_mul(attempts.into()).min(LAST_FLOOR);
    wanted.max(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_row_may_have_any_numbers() {
        let row = Row {
            attempts: u32::MAX,
            not_before: u64::MAX,
            entry: 0,
            host: None,
        };
        let after = |outcome| row.after(0, &Retry::default(), outcome, u64::MAX);
        assert_eq!(after(Outcome::Busy), AfterAttempt::Wait(row));
        let kind = Kind::ActivityCompleted {
            task: 0,
            attempts: u32::MAX,
        };
        let done = AfterAttempt::End(kind, Bytes::new());
        assert_eq!(after(Outcome::Done(Bytes::new())), done);
    }

    #[test]
    fn intervals_grow_to_their_bound() {
        let retry = Retry {
            first_interval: Duration::from_millis(100),
            factor: 3.0,
            max_interval: Duration::from_millis(500),
            ..Retry::default()
        };
        let all: Vec<_> = (1..5).map(|attempts| interval(&retry, attempts)).collect();
        assert_eq!(all, [100, 300, 500, 500]);
        assert_eq!(interval(&retry, u32::MAX), 500);
        let at_once = Retry {
            first_interval: Duration::ZERO,
            ..retry
        };
        assert_eq!([1, 2, 300].map(|n| interval(&at_once, n)), [10, 20, 500]);
    }
}
