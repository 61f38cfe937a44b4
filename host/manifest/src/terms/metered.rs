//! Quotas of which the host measures the use while a tenant runs.

use std::ops::RangeInclusive;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A quota of which the host measures the use. A new one is a row here and what enforces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metered {
    /// HTTP requests from outside, a second, those to webhooks among them.
    Requests,
    /// Calls of apps that are under way.
    Calls,
    /// Calls that wait for one of their app's `limits.concurrency`.
    WaitingCalls,
    /// Instances of guests, idle ones too.
    Instances,
    /// Bytes of the linear memories of these instances.
    Memory,
    /// Bytes that the host holds for the apps.
    HostMemory,
    /// Requests to the outside that are under way, those of bindings among them.
    OutgoingRequests,
    /// Events that are published, a second.
    Publishes,
    /// Instances of workflows that have begun and not ended.
    Workflows,
    /// Bytes of the journals of these instances.
    JournalBytes,
    /// Actors that are active.
    Actors,
    /// Jobs that are stored.
    Jobs,
    /// Bytes of what apps and actors have in state stores, with keys and content types.
    StateBytes,
    /// Keys of it.
    StateKeys,
    /// Bytes of events that wait for subscribers.
    BacklogBytes,
    /// Bytes of the largest component file.
    ComponentBytes,
    /// Milliseconds of the longest compilation.
    CompileTime,
    /// Connections of clients whose last request was the tenant's.
    Connections,
    /// Bytes of bodies that leave the host, a second.
    EgressBytes,
    /// Hosts outside that its guests have requests under way to.
    OutgoingHosts,
}

/// The key of a quota, and the amounts that it may have.
struct Row {
    key: &'static str,
    default: u64,
    range: RangeInclusive<u64>,
    unit: Unit,
}

/// The unit of an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things that are there at a time.
    Count,
    /// Bytes that are held at a time.
    Bytes,
    /// Things that happen in a second; as many may happen at once.
    PerSecond,
    /// Bytes that leave in a second; as many may leave at once.
    BytesPerSecond,
    /// A time, written as one.
    Milliseconds,
}

const COUNTS: RangeInclusive<u64> = 1..=10_000_000;

impl Metered {
    /// Every one, in the order of the enum.
    pub const ALL: [Metered; 20] = [
        Metered::Requests,
        Metered::Calls,
        Metered::WaitingCalls,
        Metered::Instances,
        Metered::Memory,
        Metered::HostMemory,
        Metered::OutgoingRequests,
        Metered::Publishes,
        Metered::Workflows,
        Metered::JournalBytes,
        Metered::Actors,
        Metered::Jobs,
        Metered::StateBytes,
        Metered::StateKeys,
        Metered::BacklogBytes,
        Metered::ComponentBytes,
        Metered::CompileTime,
        Metered::Connections,
        Metered::EgressBytes,
        Metered::OutgoingHosts,
    ];

    /// The key below `quotas`.
    pub fn key(self) -> &'static str {
        self.row().key
    }

    /// The amount where the operator says nothing.
    pub fn default_amount(self) -> u64 {
        self.row().default
    }

    /// The unit of its amounts.
    pub fn unit(self) -> Unit {
        self.row().unit
    }

    /// The amounts that the operator may write.
    pub(super) fn range(self) -> RangeInclusive<u64> {
        self.row().range
    }

    fn row(self) -> Row {
        let row = |key, default, range, unit| Row {
            key,
            default,
            range,
            unit,
        };
        match self {
            Metered::Requests => row("requestsPerSecond", 1_000, COUNTS, Unit::PerSecond),
            Metered::Calls => row("calls", 256, COUNTS, Unit::Count),
            Metered::WaitingCalls => row("waitingCalls", 256, COUNTS, Unit::Count),
            Metered::Instances => row("instances", 64, COUNTS, Unit::Count),
            Metered::Memory => row("memory", 256 * MIB, MIB..=MIB * MIB, Unit::Bytes),
            Metered::HostMemory => row("hostMemory", 64 * MIB, MIB..=KIB * GIB, Unit::Bytes),
            Metered::OutgoingRequests => row("outgoingRequests", 64, COUNTS, Unit::Count),
            Metered::Publishes => row("publishesPerSecond", 1_000, COUNTS, Unit::PerSecond),
            Metered::Workflows => row("workflows", 10_000, COUNTS, Unit::Count),
            Metered::JournalBytes => row("journalBytes", GIB, MIB..=MIB * MIB, Unit::Bytes),
            Metered::Actors => row("actors", 10_000, COUNTS, Unit::Count),
            Metered::Jobs => row("jobs", 10_000, COUNTS, Unit::Count),
            Metered::StateBytes => row("stateBytes", GIB, MIB..=MIB * MIB, Unit::Bytes),
            Metered::StateKeys => row("stateKeys", 1_000_000, 1..=1_000_000_000, Unit::Count),
            Metered::BacklogBytes => row("backlogBytes", 256 * MIB, MIB..=MIB * MIB, Unit::Bytes),
            // More than that no host reads.
            Metered::ComponentBytes => row("componentBytes", 64 * MIB, KIB..=64 * MIB, Unit::Bytes),
            Metered::CompileTime => row("compileTime", 120_000, 1..=3_600_000, Unit::Milliseconds),
            // Of the host's 15,000; each may have a call under way.
            Metered::Connections => row("connections", 256, COUNTS, Unit::Count),
            Metered::EgressBytes => {
                let range = KIB..=MIB * MIB;
                row(
                    "egressBytesPerSecond",
                    128 * MIB,
                    range,
                    Unit::BytesPerSecond,
                )
            }
            Metered::OutgoingHosts => row("outgoingHosts", 64, COUNTS, Unit::Count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_at_its_place_with_a_key_of_its_own_and_a_default_within_its_range() {
        for (index, quota) in Metered::ALL.into_iter().enumerate() {
            assert_eq!(quota as usize, index);
            assert!(quota.range().contains(&quota.default_amount()), "{quota:?}");
            let same = Metered::ALL.iter().filter(|one| one.key() == quota.key());
            assert_eq!(same.count(), 1, "{quota:?}");
        }
    }
}
