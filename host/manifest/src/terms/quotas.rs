//! The amounts that a tenant may have. Each key is enforced by the host; one that is not is unknown.

use std::time::Duration;

use crate::limits::{self, LIMITS, Limits};
use crate::problem::Source;
use crate::reader::At;

const KIB: u64 = 1 << 10;

/// The keys of `quotas`. A new one is added here, to [`Quotas`] and to the documents, with what enforces it.
const KEYS: [&str; 5] = ["apps", "components", "cpuWeight", "logBytes", "app"];

/// The weight of a tenant of which nothing is said.
const CPU_WEIGHT: u32 = 100;

/// Apps, and components, of a tenant of which nothing is said.
const COUNT: u32 = 100;

/// Bytes of log lines that are kept for a tenant where nothing else is said.
const LOG_BYTES: u64 = 256 * KIB;

/// The amounts that a tenant may have; what is absent has a default, and `limits` of apps are not bounded.
#[derive(Clone, Debug, Default)]
pub struct Quotas {
    /// Apps.
    pub apps: Option<Quota<u32>>,
    /// Components that are written by the tenant; default ones are not counted.
    pub components: Option<Quota<u32>>,
    /// The share of the CPU, among those of the other tenants.
    pub cpu_weight: Option<Quota<u32>>,
    /// Bytes of log lines that the host keeps for `wythe logs`.
    pub log_bytes: Option<Quota<u64>>,
    /// The highest `limits` of each app, by key.
    pub(super) app: Vec<(&'static str, Quota<Limits>)>,
}

/// An amount and its place.
#[derive(Clone, Debug)]
pub struct Quota<T> {
    /// The amount.
    pub max: T,
    /// The place where it was written.
    pub source: Source,
}

impl Quotas {
    /// Bytes of log lines that are kept.
    pub fn log_bytes(&self) -> u64 {
        let written = self.log_bytes.as_ref();
        written.map_or(LOG_BYTES, |quota| quota.max)
    }

    /// The weight by which the tenant shares the CPU with others; 100 where it is not written.
    pub fn cpu_weight(&self) -> u32 {
        let written = self.cpu_weight.as_ref();
        written.map_or(CPU_WEIGHT, |quota| quota.max)
    }

    /// The amounts alone, to compare them.
    pub(super) fn said(&self) -> String {
        let counts = [&self.apps, &self.components].map(|one| count(one.as_ref()));
        let app = self.app.iter();
        let app: Vec<_> = app
            .map(|(key, quota)| (key, shown(&quota.max, key)))
            .collect();
        let (weight, log) = (self.cpu_weight(), self.log_bytes());
        format!("{counts:?} {weight} {log} {app:?}")
    }

    /// The quotas of the first that has each.
    pub(super) fn merged<'a>(all: impl Iterator<Item = &'a Quotas>) -> Self {
        let mut merged = Quotas::default();
        for one in all {
            merged.apps = merged.apps.or_else(|| one.apps.clone());
            merged.components = merged.components.or_else(|| one.components.clone());
            merged.cpu_weight = merged.cpu_weight.or_else(|| one.cpu_weight.clone());
            merged.log_bytes = merged.log_bytes.or_else(|| one.log_bytes.clone());
            for (key, quota) in &one.app {
                if !merged.app.iter().any(|(known, _)| known == key) {
                    merged.app.push((key, quota.clone()));
                }
            }
        }
        merged
    }
}

/// The highest count.
pub(super) fn count(quota: Option<&Quota<u32>>) -> u32 {
    quota.map_or(COUNT, |quota| quota.max)
}

/// Reads `quotas`.
pub(super) fn read(at: &At) -> Option<Quotas> {
    let fields = at.fields(&KEYS)?;
    let count = |name| {
        let at = fields.get(name)?;
        let max = limits::within(&at, at.count()?, 0..=1_000_000)?;
        Some(quota(&at, max))
    };
    let weight = |name| {
        let at = fields.get(name)?;
        let max = limits::within(&at, at.count()?, 1..=10_000)?;
        Some(quota(&at, max))
    };
    let size = |name| {
        let at = fields.get(name)?;
        let max = limits::size(&fields, name, KIB..=KIB * KIB)?;
        Some(quota(&at, max))
    };
    Some(Quotas {
        apps: count("apps"),
        components: count("components"),
        cpu_weight: weight("cpuWeight"),
        log_bytes: size("logBytes"),
        app: fields.read("app", read_app).unwrap_or_default(),
    })
}

fn read_app(at: &At) -> Option<Vec<(&'static str, Quota<Limits>)>> {
    let (limits, fields) = (limits::read_limits(at)?, at.fields(&LIMITS)?);
    let written = |key| Some((key, quota(&fields.get(key)?, limits.clone())));
    Some(LIMITS.into_iter().filter_map(written).collect())
}

fn quota<T>(at: &At, max: T) -> Quota<T> {
    Quota {
        max,
        source: at.source(),
    }
}

/// Cuts the limits of an app to a quota. An answer says that a limit which was written is higher.
pub(super) fn cut(
    limits: &mut Limits,
    key: &str,
    max: &Limits,
    is_written: bool,
) -> Result<(), (String, String)> {
    let asked = limits.clone();
    let is_higher = match key {
        "memory" => lower(&mut limits.memory, max.memory),
        "tableElements" => lower(&mut limits.table_elements, max.table_elements),
        "handles" => lower(&mut limits.handles, max.handles),
        "hostcallBytes" => lower(&mut limits.hostcall_bytes, max.hostcall_bytes),
        "hostMemory" => lower(&mut limits.host_memory, max.host_memory),
        "wallTime" => lower(&mut limits.wall_time, max.wall_time),
        "responseTime" => lower(&mut limits.response_time, max.response_time),
        "stallTime" => lower(&mut limits.stall_time, max.stall_time),
        "afterTime" => lower(&mut limits.after_time, max.after_time),
        "cpuTime" => lower(&mut limits.cpu_time, max.cpu_time),
        "concurrency" => lower(&mut limits.concurrency, max.concurrency),
        "logBytesPerSecond" => lower(&mut limits.log_bytes_per_second, max.log_bytes_per_second),
        "requestBody" => lower(&mut limits.request_body, max.request_body),
        "outgoingRequests" => lower(&mut limits.outgoing_requests, max.outgoing_requests),
        "stepFuel" => lower(&mut limits.step_fuel, max.step_fuel),
        _ => lower(&mut limits.instances, max.instances),
    };
    match is_higher && is_written {
        true => Err((shown(&asked, key), shown(max, key))),
        false => Ok(()),
    }
}

/// True if the amount was higher.
fn lower<T: PartialOrd + Copy>(amount: &mut T, max: T) -> bool {
    let is_higher = *amount > max;
    if is_higher {
        *amount = max;
    }
    is_higher
}

fn shown(limits: &Limits, key: &str) -> String {
    let time = |time: Duration| crate::quantity::Duration(time).to_string();
    let size = |bytes: u64| crate::quantity::ByteSize(bytes).to_string();
    match key {
        "memory" => size(limits.memory),
        "tableElements" => limits.table_elements.to_string(),
        "handles" => limits.handles.to_string(),
        "hostcallBytes" => size(limits.hostcall_bytes),
        "hostMemory" => size(limits.host_memory),
        "wallTime" => time(limits.wall_time),
        "responseTime" => time(limits.response_time),
        "stallTime" => time(limits.stall_time),
        "afterTime" => time(limits.after_time),
        "cpuTime" => time(limits.cpu_time),
        "concurrency" => limits.concurrency.to_string(),
        "logBytesPerSecond" => size(limits.log_bytes_per_second),
        "requestBody" => size(limits.request_body),
        "outgoingRequests" => limits.outgoing_requests.to_string(),
        "stepFuel" => limits.step_fuel.to_string(),
        _ => limits.instances.to_string(),
    }
}
