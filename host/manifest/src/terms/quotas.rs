//! The amounts that a tenant may have. Each key is enforced by the host; one that is not is unknown.

use std::time::Duration;

use super::metered::{Metered, Unit};
use crate::limits::{self, LIMITS, Limit, Limits};
use crate::problem::Source;
use crate::reader::{At, Fields};
use crate::same::Same;

const KIB: u64 = 1 << 10;

/// The keys of `quotas` beside those of [`Metered`].
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
    /// Those of which the host measures the use, in the order of [`Metered::ALL`].
    metered: [Option<Quota<u64>>; Metered::ALL.len()],
    /// The highest `limits` of each app.
    pub(super) app: Vec<(&'static Limit, Quota<Limits>)>,
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

    /// The amount of a quota of which the host measures the use.
    pub fn amount(&self, quota: Metered) -> u64 {
        let written = self.metered[quota as usize].as_ref();
        written.map_or(quota.default_amount(), |quota| quota.max)
    }

    /// The place where a quota of which the host measures the use is written; none where its default holds.
    pub fn written(&self, quota: Metered) -> Option<&Source> {
        let written = self.metered[quota as usize].as_ref();
        written.map(|quota| &quota.source)
    }

    /// The quotas of the first that has each.
    pub(super) fn merged<'a>(all: impl Iterator<Item = &'a Quotas>) -> Self {
        let mut merged = Quotas::default();
        for one in all {
            merged.apps = merged.apps.or_else(|| one.apps.clone());
            merged.components = merged.components.or_else(|| one.components.clone());
            merged.cpu_weight = merged.cpu_weight.or_else(|| one.cpu_weight.clone());
            merged.log_bytes = merged.log_bytes.or_else(|| one.log_bytes.clone());
            for (known, other) in merged.metered.iter_mut().zip(&one.metered) {
                *known = known.take().or_else(|| other.clone());
            }
            for (limit, quota) in &one.app {
                if !merged.app.iter().any(|(known, _)| known.key == limit.key) {
                    merged.app.push((limit, quota.clone()));
                }
            }
        }
        merged
    }
}

/// Amounts alone: one that is written is the same as a default of as much.
impl Same for Quotas {
    fn is_same(&self, other: &Quotas) -> bool {
        let counts = |one: &Quotas| [&one.apps, &one.components].map(|one| count(one.as_ref()));
        let is_known = |(limit, quota): &(&'static Limit, Quota<Limits>)| {
            let mut known = other.app.iter();
            known
                .any(|(other, max)| other.key == limit.key && (limit.is_same)(&quota.max, &max.max))
        };
        let are_metered = |quota: &Metered| self.amount(*quota) == other.amount(*quota);
        counts(self) == counts(other)
            && Metered::ALL.iter().all(are_metered)
            && self.cpu_weight() == other.cpu_weight()
            && self.log_bytes() == other.log_bytes()
            && self.app.len() == other.app.len()
            && self.app.iter().all(is_known)
    }
}

/// The highest count.
pub(super) fn count(quota: Option<&Quota<u32>>) -> u32 {
    quota.map_or(COUNT, |quota| quota.max)
}

/// Reads `quotas`.
pub(super) fn read(at: &At) -> Option<Quotas> {
    let fields = at.fields(&keys())?;
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
        metered: Metered::ALL.map(|quota| read_metered(&fields, quota)),
        app: fields.read("app", read_app).unwrap_or_default(),
    })
}

/// Every key of `quotas`.
fn keys() -> Vec<&'static str> {
    let metered = Metered::ALL.map(Metered::key);
    KEYS.into_iter().chain(metered).collect()
}

fn read_metered(fields: &Fields, quota: Metered) -> Option<Quota<u64>> {
    let at = fields.get(quota.key())?;
    let max = match quota.unit() {
        Unit::Bytes | Unit::BytesPerSecond => limits::size(fields, quota.key(), quota.range())?,
        Unit::Milliseconds => {
            let (least, max) = quota.range().into_inner();
            let range = Duration::from_millis(least)..=Duration::from_millis(max);
            let time = limits::time(fields, quota.key(), range)?;
            u64::try_from(time.as_millis()).ok()?
        }
        Unit::Count | Unit::PerSecond => {
            limits::within(&at, u64::from(at.count()?), quota.range())?
        }
    };
    Some(self::quota(&at, max))
}

fn read_app(at: &At) -> Option<Vec<(&'static Limit, Quota<Limits>)>> {
    let (limits, fields) = (limits::read_limits(at)?, at.fields(&LIMITS)?);
    let written = |limit: &'static Limit| {
        let at = fields.get(limit.key)?;
        Some((limit, quota(&at, limits.clone())))
    };
    Some(limits::ALL.iter().filter_map(written).collect())
}

fn quota<T>(at: &At, max: T) -> Quota<T> {
    Quota {
        max,
        source: at.source(),
    }
}

/// Cuts a limit of an app to a quota. An answer says that a limit which was written is higher.
pub(super) fn cut(
    limits: &mut Limits,
    limit: &Limit,
    max: &Limits,
    is_written: bool,
) -> Result<(), (String, String)> {
    let asked = (limit.shown)(limits);
    match (limit.cut)(limits, max) && is_written {
        true => Err((asked, (limit.shown)(max))),
        false => Ok(()),
    }
}
