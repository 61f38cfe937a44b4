//! The form of exchanges and queues, as the settings have it.

use serde::Deserialize;

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Exchange {
    Fanout,
    Topic,
    Direct,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum QueueType {
    Quorum,
    Classic,
}

impl QueueType {
    pub fn name(self) -> &'static str {
        match self {
            QueueType::Quorum => "quorum",
            QueueType::Classic => "classic",
        }
    }
}

/// The form of exchanges and queues.
#[derive(Clone)]
pub(crate) struct Layout {
    pub exchange: Exchange,
    pub queue: QueueType,
    pub is_durable: bool,
    pub is_passing: bool,
    pub limit: Limit,
    pub has_letters: bool,
}

/// The bounds of a queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Limit {
    pub messages: Option<u64>,
    pub bytes: Option<u64>,
    /// Old messages make room for new ones, which are refused otherwise.
    pub drops: bool,
}
