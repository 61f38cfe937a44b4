//! An entry of a journal: what it says, how it is encoded, and the chain of hashes that it is a link of.

use crate::workflow::Timestamp;
use crate::{Error, Result};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The hash of an entry, over the one before it and what the entry says.
pub type Hash = [u8; 32];

/// The number of times that an activity is tried, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// The number of attempts, at least 1.
    pub attempts: u32,
    pub first_interval: Duration,
    /// The factor by which each interval is longer than the one before.
    pub factor: f64,
    pub max_interval: Duration,
    /// The timeout of one attempt.
    pub timeout: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            attempts: 1,
            first_interval: Duration::from_secs(1),
            factor: 2.0,
            max_interval: Duration::from_secs(60),
            timeout: None,
        }
    }
}

/// The task of a parent that waits for a child's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    pub instance: String,
    pub run: u32,
    pub task: u32,
}

/// The kind of an entry: what happened. `task` numbers the commands of a workflow in the order in which its code gives
/// them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Started {
        name: String,
        app: String,
        digest: String,
        seed: u128,
        parent: Option<Parent>,
    },
    /// A start that was to wait has waited.
    Begun,
    ActivityScheduled {
        task: u32,
        name: String,
        retry: Retry,
    },
    ActivityCompleted {
        task: u32,
        attempts: u32,
    },
    ActivityFailed {
        task: u32,
        attempts: u32,
        failure: String,
        timeout: bool,
    },
    ChildStarted {
        task: u32,
        name: String,
        id: String,
    },
    ChildCompleted {
        task: u32,
    },
    ChildFailed {
        task: u32,
        failure: String,
    },
    TimerCreated {
        task: u32,
        duration: u64,
        due: Timestamp,
    },
    /// The end of a timer, or of a wait for an event.
    TimerFired {
        task: u32,
    },
    EventWaited {
        task: u32,
        name: String,
        timeout: Option<u64>,
        due: Option<Timestamp>,
    },
    EventReceived {
        name: String,
    },
    Cancelled {
        task: u32,
        of: u32,
    },
    Patched {
        task: u32,
        change: String,
    },
    Suspended {
        reason: String,
    },
    Resumed {
        reason: String,
    },
    ContinuedAsNew,
    Completed,
    Failed {
        failure: String,
    },
    Terminated,
}

impl Kind {
    /// The name of the kind in `wythe workflow history`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Kind::Started { .. } => "started",
            Kind::Begun => "begun",
            Kind::ActivityScheduled { .. } => "activity-scheduled",
            Kind::ActivityCompleted { .. } => "activity-completed",
            Kind::ActivityFailed { .. } => "activity-failed",
            Kind::ChildStarted { .. } => "child-started",
            Kind::ChildCompleted { .. } => "child-completed",
            Kind::ChildFailed { .. } => "child-failed",
            Kind::TimerCreated { .. } => "timer-created",
            Kind::TimerFired { .. } => "timer-fired",
            Kind::EventWaited { .. } => "event-waited",
            Kind::EventReceived { .. } => "event-received",
            Kind::Cancelled { .. } => "cancelled",
            Kind::Patched { .. } => "patched",
            Kind::Suspended { .. } => "suspended",
            Kind::Resumed { .. } => "resumed",
            Kind::ContinuedAsNew => "continued-as-new",
            Kind::Completed => "completed",
            Kind::Failed { .. } => "failed",
            Kind::Terminated => "terminated",
        }
    }

    /// The command that the code gave, in words; absent for what merely happened.
    pub fn command(&self) -> Option<String> {
        Some(match self {
            Kind::ActivityScheduled { name, .. } => format!("activity `{name}`"),
            Kind::ChildStarted { name, .. } => format!("child `{name}`"),
            Kind::TimerCreated { duration, .. } => format!("a timer of {duration} ms"),
            Kind::EventWaited { name, .. } => format!("a wait for event `{name}`"),
            Kind::Cancelled { of, .. } => format!("the end of task {of}"),
            Kind::Patched { change, .. } => format!("the patch `{change}`"),
            _ => return None,
        })
    }

    /// The name of what it is about, or the reason for it.
    pub fn detail(&self) -> &str {
        match self {
            Kind::Started { name, .. }
            | Kind::ActivityScheduled { name, .. }
            | Kind::ChildStarted { name, .. }
            | Kind::EventWaited { name, .. }
            | Kind::EventReceived { name } => name,
            Kind::ActivityFailed { failure, .. }
            | Kind::ChildFailed { failure, .. }
            | Kind::Failed { failure } => failure,
            Kind::Patched { change, .. } => change,
            Kind::Suspended { reason } | Kind::Resumed { reason } => reason,
            _ => "",
        }
    }

    /// The number of times that an activity was tried until it ended.
    pub fn attempts(&self) -> Option<u32> {
        match self {
            Kind::ActivityCompleted { attempts, .. } | Kind::ActivityFailed { attempts, .. } => {
                Some(*attempts)
            }
            _ => None,
        }
    }

    /// The task that it is about.
    pub fn task(&self) -> Option<u32> {
        match self {
            Kind::ActivityScheduled { task, .. }
            | Kind::ActivityCompleted { task, .. }
            | Kind::ActivityFailed { task, .. }
            | Kind::ChildStarted { task, .. }
            | Kind::ChildCompleted { task }
            | Kind::ChildFailed { task, .. }
            | Kind::TimerCreated { task, .. }
            | Kind::TimerFired { task }
            | Kind::EventWaited { task, .. }
            | Kind::Cancelled { task, .. }
            | Kind::Patched { task, .. } => Some(*task),
            _ => None,
        }
    }

    /// Returns whether the code that asks for `self` now is the code that asked for `stored`. Times of day are not
    /// compared.
    pub(in crate::workflow) fn is_same_command(&self, stored: &Kind) -> bool {
        match (self, stored) {
            (
                Kind::TimerCreated { duration, .. },
                Kind::TimerCreated {
                    duration: stored_duration,
                    ..
                },
            ) => duration == stored_duration,
            (
                Kind::EventWaited { name, timeout, .. },
                Kind::EventWaited {
                    name: stored_name,
                    timeout: stored_timeout,
                    ..
                },
            ) => name == stored_name && timeout == stored_timeout,
            _ => self == stored,
        }
    }
}

/// Bytes that an entry counts beside its texts.
const ENTRY: usize = 200;

/// One line of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub index: u32,
    pub time: Timestamp,
    pub kind: Kind,
    pub payload: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Head {
    index: u32,
    time: Timestamp,
    kind: Kind,
}

/// The hash before the first entry: no journal of another instance, or of another run, goes on from it.
pub(in crate::workflow) fn origin(tenant: &str, instance: &str, run: u32) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(format!("wythe workflow 1|{tenant}|{instance}|{run}"));
    hasher.finalize().into()
}

impl Entry {
    /// Encodes an entry as it is kept: its hash, the length of the head, the head, the payload.
    pub(in crate::workflow) fn encode(&self, previous: &Hash) -> Result<(Bytes, Hash)> {
        let head = Head {
            index: self.index,
            time: self.time,
            kind: self.kind.clone(),
        };
        let head = serde_json::to_vec(&head)
            .map_err(|error| Error::internal("an entry of a journal").with_source(error))?;
        let length = u32::try_from(head.len())
            .map_err(|_| Error::invalid("an entry's names are longer than 4 GiB"))?;
        let mut body = Vec::with_capacity(4 + head.len() + self.payload.len());
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(&head);
        body.extend_from_slice(&self.payload);
        let hash = chained(previous, &body);
        let mut stored = hash.to_vec();
        stored.extend_from_slice(&body);
        Ok((stored.into(), hash))
    }

    /// Decodes an entry; absent if it is not what followed the entry before it.
    pub(in crate::workflow) fn decode(
        stored: &Bytes,
        previous: &Hash,
        index: u32,
    ) -> Option<(Entry, Hash)> {
        let (hash, body) = stored.split_at_checked(32)?;
        let computed = chained(previous, body);
        if computed != hash {
            return None;
        }
        let entry = Self::read(stored)?;
        (entry.index == index).then_some((entry, computed))
    }

    /// Bytes that it counts in a journal.
    pub(in crate::workflow) fn weight(&self) -> usize {
        ENTRY + self.payload.len() + self.kind.detail().len()
    }

    /// Reads an entry without a look at the chain.
    pub(in crate::workflow) fn read(stored: &Bytes) -> Option<Entry> {
        let (_, body) = stored.split_at_checked(32)?;
        let (length, rest) = body.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let (head, _) = rest.split_at_checked(length)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        Some(Entry {
            index: head.index,
            time: head.time,
            kind: head.kind,
            payload: stored.slice(32 + 4 + length..),
        })
    }
}

fn chained(previous: &Hash, body: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(previous);
    hasher.update(body);
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u32, payload: &'static str) -> Entry {
        let kind = Kind::EventReceived {
            name: "paid".into(),
        };
        Entry {
            index,
            time: 7,
            kind,
            payload: payload.into(),
        }
    }

    #[test]
    fn an_entry_comes_back_as_it_was_and_only_after_its_predecessor() {
        let start = origin("default", "one", 1);
        let (first, hash) = entry(0, "a").encode(&start).unwrap();
        let (second, _) = entry(1, "b").encode(&hash).unwrap();
        let (read, read_hash) = Entry::decode(&first, &start, 0).unwrap();
        assert_eq!((read, read_hash), (entry(0, "a"), hash));
        assert_eq!(Entry::decode(&second, &hash, 1).unwrap().0, entry(1, "b"));
        assert!(Entry::decode(&second, &start, 1).is_none());
        assert!(Entry::decode(&second, &hash, 2).is_none());
        assert!(Entry::decode(&first, &origin("default", "two", 1), 0).is_none());
    }

    /// A policy that differs by a bit would be that of other code.
    #[test]
    fn a_policy_comes_back_to_the_last_bit() {
        let start = origin("default", "one", 1);
        for number in 1..1_000 {
            let retry = Retry {
                factor: 1.0 + f64::from(number) / 997.0,
                ..Retry::default()
            };
            let (task, name) = (0, "pay".to_owned());
            let kind = Kind::ActivityScheduled { task, name, retry };
            let entry = Entry {
                kind,
                ..entry(0, "")
            };
            let (stored, _) = entry.encode(&start).unwrap();
            let (read, _) = Entry::decode(&stored, &start, 0).unwrap();
            assert!(entry.kind.is_same_command(&read.kind), "{read:?}");
        }
    }

    #[test]
    fn every_changed_byte_is_found() {
        let start = origin("default", "one", 1);
        let (stored, _) = entry(0, "payload").encode(&start).unwrap();
        for at in 0..stored.len() {
            let mut changed = stored.to_vec();
            changed[at] ^= 1;
            assert!(Entry::decode(&changed.into(), &start, 0).is_none(), "{at}");
        }
        assert!(Entry::decode(&Bytes::new(), &start, 0).is_none());
    }
}
