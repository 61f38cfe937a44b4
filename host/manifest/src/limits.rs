//! The amounts that a guest may use, and how long an instance of it is kept.

use std::convert::identity;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::name::shown;
use crate::quantity::{self, ByteSize};
use crate::reader::{At, Fields};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The amounts that one app may use. Each field is enforced by the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory of an instance; default 64 MiB.
    pub memory: u64,
    /// Elements of all tables of an instance; default 10,000.
    pub table_elements: u32,
    /// Resource handles that an instance holds at a time; default 4,096.
    pub handles: u32,
    /// Bytes that one call may pass to the host; default 8 MiB.
    pub hostcall_bytes: u64,
    /// Bytes that the host holds for the app in all: bodies and answers under way, streams, header fields; default
    /// 128 MiB.
    pub host_memory: u64,
    /// Time of a call until its answer begins, and then of each pause of the guest in it; default 30 s.
    pub wall_time: Duration,
    /// Time of an HTTP answer in all; default 1 h.
    pub response_time: Duration,
    /// Time in which the reader of an HTTP answer may take nothing; default 30 s.
    pub stall_time: Duration,
    /// Time that an instance may work on when its HTTP answer is out, or its reader has left; default 5 s.
    pub after_time: Duration,
    /// The time that a call may compute; default 1 s.
    pub cpu_time: Duration,
    /// Calls at a time; default 64.
    pub concurrency: u32,
    /// Bytes of log that are kept per second; default 1 MiB.
    pub log_bytes_per_second: u64,
    /// Bytes of a request's body; default 4 MiB.
    pub request_body: u64,
    /// HTTP requests to the outside that are under way at a time; default 256.
    pub outgoing_requests: u32,
    /// Instructions of a workflow's code between two waits, more or less; default 1,000,000,000.
    pub step_fuel: u32,
    /// Instances of the app's workflows that have not ended; default 100,000.
    pub instances: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 * MIB,
            table_elements: 10_000,
            handles: 4_096,
            hostcall_bytes: 8 * MIB,
            host_memory: 128 * MIB,
            wall_time: Duration::from_secs(30),
            response_time: Duration::from_secs(3600),
            stall_time: Duration::from_secs(30),
            after_time: Duration::from_secs(5),
            cpu_time: Duration::from_secs(1),
            concurrency: 64,
            log_bytes_per_second: MIB,
            request_body: 4 * MIB,
            outgoing_requests: 256,
            step_fuel: 1_000_000_000,
            instances: 100_000,
        }
    }
}

/// The life of an instance; by default every call gets a fresh one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// Calls that one instance answers in its life; default 1.
    pub max_requests: u32,
    /// Calls that one instance answers at a time; default 1.
    pub max_concurrent: u32,
    /// The time that an instance waits for its next call; default 1 s.
    pub idle: Duration,
}

impl Default for Reuse {
    fn default() -> Self {
        Self {
            max_requests: 1,
            max_concurrent: 1,
            idle: Duration::from_secs(1),
        }
    }
}

/// A limit, and what is done to it by code that does not know which it is.
#[derive(Debug)]
pub(crate) struct Limit {
    /// The key in the file.
    pub key: &'static str,
    /// Cuts it to that of the others; true if it was higher.
    pub cut: fn(&mut Limits, &Limits) -> bool,
    /// Compares it with that of the others.
    pub is_same: fn(&Limits, &Limits) -> bool,
    /// Shows it as people write it.
    pub shown: fn(&Limits) -> String,
}

/// Makes the keys and the limits of one table: the key, the field, and the unit that it is shown in.
macro_rules! limits {
    ($($key:literal $field:ident $unit:path,)*) => {
        /// The keys of `limits`.
        pub(crate) const LIMITS: [&str; 16] = [$($key),*];

        /// The limits, in the order of their keys.
        pub(crate) static ALL: [Limit; 16] = [$(Limit {
            key: $key,
            cut: |limits, max| lower(&mut limits.$field, max.$field),
            is_same: |one, other| one.$field == other.$field,
            shown: |limits| $unit(limits.$field).to_string(),
        }),*];
    };
}

limits! {
    "memory" memory ByteSize,
    "tableElements" table_elements identity,
    "handles" handles identity,
    "hostcallBytes" hostcall_bytes ByteSize,
    "hostMemory" host_memory ByteSize,
    "wallTime" wall_time quantity::Duration,
    "responseTime" response_time quantity::Duration,
    "stallTime" stall_time quantity::Duration,
    "afterTime" after_time quantity::Duration,
    "cpuTime" cpu_time quantity::Duration,
    "concurrency" concurrency identity,
    "logBytesPerSecond" log_bytes_per_second ByteSize,
    "requestBody" request_body ByteSize,
    "outgoingRequests" outgoing_requests identity,
    "stepFuel" step_fuel identity,
    "instances" instances identity,
}

/// Cuts an amount; true if it was higher.
fn lower<T: PartialOrd + Copy>(amount: &mut T, max: T) -> bool {
    let is_higher = *amount > max;
    if is_higher {
        *amount = max;
    }
    is_higher
}

/// Reads `limits`.
pub(crate) fn read_limits(at: &At) -> Option<Limits> {
    let fields = at.fields(&LIMITS)?;
    let default = Limits::default();
    let hour = Duration::from_secs(3600);
    let up_to_a_day = Duration::from_millis(1)..=24 * hour;
    Some(Limits {
        memory: size(&fields, "memory", MIB..=4 * GIB).unwrap_or(default.memory),
        table_elements: count(&fields, "tableElements", 1..=10_000_000)
            .unwrap_or(default.table_elements),
        handles: count(&fields, "handles", 16..=1_000_000).unwrap_or(default.handles),
        hostcall_bytes: size(&fields, "hostcallBytes", 64 * KIB..=GIB)
            .unwrap_or(default.hostcall_bytes),
        host_memory: size(&fields, "hostMemory", MIB..=64 * GIB).unwrap_or(default.host_memory),
        wall_time: time(&fields, "wallTime", up_to_a_day.clone()).unwrap_or(default.wall_time),
        response_time: time(&fields, "responseTime", up_to_a_day.clone())
            .unwrap_or(default.response_time),
        stall_time: time(&fields, "stallTime", up_to_a_day.clone()).unwrap_or(default.stall_time),
        after_time: time(&fields, "afterTime", up_to_a_day).unwrap_or(default.after_time),
        cpu_time: time(&fields, "cpuTime", Duration::from_millis(1)..=hour)
            .unwrap_or(default.cpu_time),
        concurrency: count(&fields, "concurrency", 1..=100_000).unwrap_or(default.concurrency),
        log_bytes_per_second: size(&fields, "logBytesPerSecond", KIB..=GIB)
            .unwrap_or(default.log_bytes_per_second),
        request_body: size(&fields, "requestBody", 0..=GIB).unwrap_or(default.request_body),
        outgoing_requests: count(&fields, "outgoingRequests", 1..=4_096)
            .unwrap_or(default.outgoing_requests),
        step_fuel: count(&fields, "stepFuel", 1_000_000..=u32::MAX).unwrap_or(default.step_fuel),
        instances: count(&fields, "instances", 1..=10_000_000).unwrap_or(default.instances),
    })
}

/// Reads `reuse`.
pub(crate) fn read_reuse(at: &At) -> Option<Reuse> {
    let fields = at.fields(&["maxRequests", "maxConcurrent", "idle"])?;
    let default = Reuse::default();
    let reuse = Reuse {
        max_requests: count(&fields, "maxRequests", 1..=1_000_000).unwrap_or(default.max_requests),
        max_concurrent: count(&fields, "maxConcurrent", 1..=10_000)
            .unwrap_or(default.max_concurrent),
        idle: time(&fields, "idle", Duration::ZERO..=Duration::from_secs(3600))
            .unwrap_or(default.idle),
    };
    if reuse.max_concurrent > reuse.max_requests {
        at.error(&format!(
            "`maxConcurrent` is {}, but an instance answers only {} (`maxRequests`) in its life",
            reuse.max_concurrent, reuse.max_requests
        ));
    }
    Some(reuse)
}

pub(crate) fn size(fields: &Fields, key: &str, range: RangeInclusive<u64>) -> Option<u64> {
    let at = fields.get(key)?;
    let range = ByteSize(*range.start())..=ByteSize(*range.end());
    within(&at, at.quantity()?, range).map(u64::from)
}

pub(crate) fn time(
    fields: &Fields,
    key: &str,
    range: RangeInclusive<Duration>,
) -> Option<Duration> {
    let at = fields.get(key)?;
    let range = quantity::Duration(*range.start())..=quantity::Duration(*range.end());
    within(&at, at.quantity()?, range).map(Duration::from)
}

pub(crate) fn count(fields: &Fields, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let at = fields.get(key)?;
    within(&at, at.count()?, range)
}

pub(crate) fn within<T: PartialOrd + Display>(
    at: &At,
    value: T,
    range: RangeInclusive<T>,
) -> Option<T> {
    if range.contains(&value) {
        return Some(value);
    }
    let (least, max) = range.into_inner();
    let found = shown(at.text()?);
    at.error(&format!("expected {least} to {max}, found `{found}`"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_cut_by_its_own_and_by_no_other() {
        let low = Limits {
            memory: 1,
            table_elements: 2,
            handles: 3,
            hostcall_bytes: 4,
            host_memory: 5,
            wall_time: Duration::from_millis(6),
            response_time: Duration::from_millis(7),
            stall_time: Duration::from_millis(8),
            after_time: Duration::from_millis(9),
            cpu_time: Duration::from_millis(10),
            concurrency: 11,
            log_bytes_per_second: 12,
            request_body: 13,
            outgoing_requests: 14,
            step_fuel: 15,
            instances: 16,
        };
        let (high, mut all) = (Limits::default(), Limits::default());
        for limit in &ALL {
            let (key, mut limits) = (limit.key, high.clone());
            assert!((limit.cut)(&mut limits, &low), "{key}");
            assert!(!(limit.cut)(&mut limits, &high), "{key}");
            for other in &ALL {
                let from = if other.key == key { &low } else { &high };
                assert!((other.is_same)(&limits, from), "{key}: {}", other.key);
                assert_eq!((other.shown)(&limits), (other.shown)(from), "{key}");
            }
            assert_ne!((limit.shown)(&limits), (limit.shown)(&high), "{key}");
            assert!((limit.cut)(&mut all, &low), "{key}");
        }
        assert_eq!(all, low);
    }
}
