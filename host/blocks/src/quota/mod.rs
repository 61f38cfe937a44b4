//! The use of a tenant's quotas while it runs: what is over one is refused, counted, and reported once a minute.

mod ledgers;
mod pace;
mod paced;
mod reached;
#[cfg(test)]
mod tests;

use crate::{
    Detail, Error, Rate, Result,
    metrics::{Family, Page, Source, word},
};
pub(crate) use ledgers::Ledgers;
use pace::Pace;
use reached::Hosts;
pub use reached::Reached;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use wythe_manifest::{Metered, Name, Quotas, Unit};

/// The time after which whoever was refused for something that is held may ask again.
const AGAIN: Duration = Duration::from_secs(1);

/// The parts of a quota that are used when something is refused.
const ALL: &str = "all of";
const OUTSIDE: &str = "what requests from outside may have of";
const BEGINNING: &str = "what may begin of";

/// The limit of a quota that nobody wrote, of a tenant without an operator.
const NONE: u64 = u64::MAX;

/// The quotas of one tenant, with what it uses of each.
#[derive(Debug)]
pub struct Ledger {
    number: u64,
    tenant: Name,
    lines: [Line; Metered::ALL.len()],
    hosts: Hosts,
}

#[derive(Debug)]
struct Line {
    limit: AtomicU64,
    /// The amount that is held; of a rate nothing is.
    held: AtomicU64,
    pace: Pace,
    refused: AtomicU64,
    log: Rate,
}

/// One quota as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub quota: Metered,
    pub used: u64,
    /// Absent where there is none.
    pub limit: Option<u64>,
    /// Refusals since the tenant is there.
    pub refused: u64,
}

/// An amount that is held; it is given back when it is dropped.
#[derive(Debug)]
pub struct Held {
    ledger: Arc<Ledger>,
    quota: Metered,
    amount: u64,
}

impl Ledger {
    /// A ledger that refuses nothing, until quotas are set.
    pub fn new(tenant: Name) -> Arc<Self> {
        let line = |_| Line {
            limit: AtomicU64::new(NONE),
            held: AtomicU64::new(0),
            pace: Pace::default(),
            refused: AtomicU64::new(0),
            log: Rate::per_minute(1),
        };
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Ledger {
            number: NEXT.fetch_add(1, Relaxed),
            tenant,
            lines: Metered::ALL.map(line),
            hosts: Hosts::default(),
        })
    }

    /// A number that no other ledger of the process has.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Puts other quotas in place. What is held already stays so, even if it is more; without quotas nothing is refused.
    pub fn set(&self, quotas: Option<&Quotas>) {
        for quota in Metered::ALL {
            let (line, limit) = (
                self.line(quota),
                quotas.map_or(NONE, |quotas| quotas.amount(quota)),
            );
            // What passed at another rate is not held against the new one.
            if line.limit.swap(limit, Relaxed) != limit {
                line.pace.reset();
            }
        }
    }

    /// Holds an amount until it is dropped; `exhausted` where the tenant has not as much left.
    pub fn hold(self: &Arc<Self>, quota: Metered, amount: u64) -> Result<Held> {
        let mut held = self.nothing(quota);
        held.grow(amount)?;
        Ok(held)
    }

    /// Holds nothing yet.
    pub fn nothing(self: &Arc<Self>, quota: Metered) -> Held {
        Held {
            ledger: self.clone(),
            quota,
            amount: 0,
        }
    }

    /// Counts what happens at once; `exhausted` where as much happened in the last second as may. More at once than a
    /// second has passes when none of it is used, and what comes next waits the longer.
    pub fn pass(&self, quota: Metered, count: u64) -> Result<()> {
        let line = self.line(quota);
        let limit = line.limit.load(Relaxed);
        if limit == NONE {
            return Ok(());
        }
        line.pace
            .pass(limit, count)
            .map_err(|wait| self.refuse(quota, limit, wait, ALL))
    }

    /// The amount that may be held; of a tenant without quotas, more than there can be.
    pub(crate) fn limit(&self, quota: Metered) -> u64 {
        self.line(quota).limit.load(Relaxed)
    }

    /// Says whether so much more may be held now.
    pub(crate) fn has(&self, quota: Metered, amount: u64) -> bool {
        let line = self.line(quota);
        let sum = line.held.load(Relaxed).checked_add(amount);
        sum.is_some_and(|sum| sum <= line.limit.load(Relaxed))
    }

    /// Says whether no more than a half of a quota is held.
    pub fn is_below_half(&self, quota: Metered) -> bool {
        let line = self.line(quota);
        line.held.load(Relaxed) <= line.limit.load(Relaxed).div_ceil(2)
    }

    /// Admits an HTTP request from outside, to an app or to a webhook: by its rate, and where there is room beside what the
    /// tenant's apps do by themselves.
    pub fn admit_outside(&self) -> Result<()> {
        self.pass(Metered::Requests, 1)?;
        self.leave_room(Metered::Calls)?;
        self.leave_room(Metered::Instances)
    }

    /// Refuses a request from outside, or of journals what is to begin, where the last quarter of a quota begins: that is for
    /// what the tenant's apps do by themselves, for the host's own questions, and for what has begun. A quota of less than
    /// four has no such part.
    pub(crate) fn leave_room(&self, quota: Metered) -> Result<()> {
        let line = self.line(quota);
        let (held, limit) = (line.held.load(Relaxed), line.limit.load(Relaxed));
        match held < limit - limit / 4 {
            true => Ok(()),
            false => {
                let part = match quota {
                    Metered::JournalBytes => BEGINNING,
                    _ => OUTSIDE,
                };
                Err(self.refuse(quota, limit, AGAIN, part))
            }
        }
    }

    /// Every quota, in the order of their keys in the documents.
    pub fn readings(&self) -> [Reading; Metered::ALL.len()] {
        Metered::ALL.map(|quota| {
            let line = self.line(quota);
            let limit = line.limit.load(Relaxed);
            let used = match quota.unit() {
                Unit::PerSecond | Unit::BytesPerSecond => line.pace.used(limit),
                Unit::Count | Unit::Bytes | Unit::Milliseconds => line.held.load(Relaxed),
            };
            Reading {
                quota,
                used,
                limit: (limit != NONE).then_some(limit),
                refused: line.refused.load(Relaxed),
            }
        })
    }

    pub(crate) fn draw(&self, quota: Metered, amount: u64) -> Result<()> {
        match self.takes(quota, amount) {
            true => Ok(()),
            false => Err(self.refuse_all(quota)),
        }
    }

    /// Draws an amount; false where the tenant has not as much left, which is no refusal yet.
    pub(crate) fn takes(&self, quota: Metered, amount: u64) -> bool {
        // Nothing is within a quota of which too much is held, too.
        if amount == 0 {
            return true;
        }
        let line = self.line(quota);
        let limit = line.limit.load(Relaxed);
        let add = |held: u64| held.checked_add(amount).filter(|sum| *sum <= limit);
        line.held.fetch_update(Relaxed, Relaxed, add).is_ok()
    }

    /// Notes the amount of one thing of many: the largest one is what is used.
    pub fn note(&self, quota: Metered, amount: u64) {
        self.line(quota).held.fetch_max(amount, Relaxed);
    }

    /// Refuses one thing of many, which is over a quota by itself and stays so. `why` says where the quota is written.
    pub fn refuse_one(&self, quota: Metered, why: String) -> Error {
        let limit = self.limit(quota);
        self.refuse(quota, limit, AGAIN, ALL);
        Error::exhausted(why).with_detail(Detail::OverQuota)
    }

    /// Refuses what would be more than the tenant may have.
    pub(crate) fn refuse_all(&self, quota: Metered) -> Error {
        self.refuse(quota, self.limit(quota), AGAIN, ALL)
    }

    /// Holds so much, whatever the quota says: it is there already.
    pub(crate) fn put(&self, quota: Metered, amount: u64) {
        self.line(quota).held.fetch_add(amount, Relaxed);
    }

    pub(crate) fn give_back(&self, quota: Metered, amount: u64) {
        self.line(quota).held.fetch_sub(amount, Relaxed);
    }

    /// `part` is what is used, in words.
    fn refuse(&self, quota: Metered, limit: u64, wait: Duration, part: &str) -> Error {
        let line = self.line(quota);
        let refused = line.refused.fetch_add(1, Relaxed) + 1;
        let (tenant, key) = (&self.tenant, quota.key());
        if line.log.allows().is_some() {
            tracing::warn!(
                %tenant,
                quota = key,
                limit,
                refused,
                "the tenant uses {part} `quotas.{key}`, and more is refused; the operator's file has it in `kind: Tenant`"
            );
        }
        Error::exhausted(format!(
            "tenant `{tenant}` uses {part} `quotas.{key}`, which is {limit}"
        ))
        .with_retry_after(wait)
        .with_detail(Detail::OverQuota)
    }

    fn line(&self, quota: Metered) -> &Line {
        &self.lines[quota as usize]
    }
}

impl Source for Ledger {
    /// A tenant without quotas has only what it uses of what is a number of things.
    fn collect(&self, page: &mut Page) {
        let tenant = self.tenant.as_str();
        for reading in self.readings() {
            let used = reading.used as f64;
            match reading.quota {
                Metered::Instances => page.number(&INSTANCES, tenant, &[], used),
                Metered::Memory => page.number(&MEMORY, tenant, &[], used),
                Metered::BacklogBytes => page.number(&BACKLOG, tenant, &[], used),
                _ => {}
            }
            let Some(limit) = reading.limit else { continue };
            let labels = [word("quota", reading.quota.key())];
            page.number(&USED, tenant, &labels, used);
            page.number(&LIMIT, tenant, &labels, limit as f64);
            page.number(&REFUSED, tenant, &labels, reading.refused as f64);
        }
    }
}

static USED: Family = Family::gauge(
    "wythe_quota_used",
    "The part of a quota that a tenant uses.",
);
static LIMIT: Family = Family::gauge("wythe_quota_limit", "The quota of a tenant.");
static REFUSED: Family = Family::counter(
    "wythe_quota_refused_total",
    "Times that a tenant was refused something over its quota.",
);
static INSTANCES: Family = Family::gauge(
    "wythe_instances",
    "Instances of all guests of a tenant now, idle ones too.",
);
static BACKLOG: Family = Family::gauge(
    "wythe_backlog_bytes",
    "Bytes of events that wait in the queues of a tenant, where its brokers count them.",
);
static MEMORY: Family = Family::gauge(
    "wythe_tenant_memory_bytes",
    "Linear memory of all instances of a tenant now, those of plugins too.",
);

impl Held {
    /// Holds more; on an error what is held stays.
    pub fn grow(&mut self, amount: u64) -> Result<()> {
        self.ledger.draw(self.quota, amount)?;
        self.amount += amount;
        Ok(())
    }

    /// Returns `exhausted` where so much more cannot be held.
    pub fn check(&self, amount: u64) -> Result<()> {
        self.ledger.draw(self.quota, amount)?;
        self.ledger.give_back(self.quota, amount);
        Ok(())
    }

    /// Holds so much, whatever the quota says: it is there already, or less than before.
    pub fn set(&mut self, amount: u64) {
        let line = self.ledger.line(self.quota);
        match amount.checked_sub(self.amount) {
            Some(more) => line.held.fetch_add(more, Relaxed),
            None => line.held.fetch_sub(self.amount - amount, Relaxed),
        };
        self.amount = amount;
    }

    /// The amount that is held.
    pub fn amount(&self) -> u64 {
        self.amount
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.give_back(self.quota, self.amount);
    }
}
