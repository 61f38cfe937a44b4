//! Leases, by whose end the server removes what nobody asks for any more. When an entry is over is in the entry itself;
//! entries that end at about the same time share a lease, so that there are few.

use crate::{fault::Fault, space::Space, wire::Granted};
use parking_lot::Mutex;
use serde_json::json;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Result,
    time::{Clock as _, now},
};
use wythe_client::Effect;

/// Seconds between the ends of two leases, at least.
const STEP: u64 = 16;
/// Leases that are remembered: others are asked for anew.
const REMEMBERED: usize = 1_000;

#[derive(Default)]
pub(crate) struct Leases {
    known: Mutex<HashMap<Bucket, Lease>>,
}

/// A lease, with its end by a clock that nobody sets: that of the host may be set back, and then a lease of before ends too
/// early for an entry of now.
#[derive(Clone, Copy, Debug)]
struct Lease {
    id: i64,
    end: Instant,
}

/// Entries that share a lease: the distance of two ends, and which end it is. Both in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Bucket {
    step: u64,
    end: u64,
}

impl Bucket {
    /// The one of an entry that lasts for some seconds from now on; its end is after that of the entry.
    fn of(now: u64, seconds: u64) -> Self {
        let step = (seconds / 8).next_power_of_two().max(STEP);
        let end = now.saturating_add(seconds) / step + 2;
        Bucket {
            step,
            end: end.saturating_mul(step),
        }
    }
}

impl Leases {
    /// The lease of an entry that lasts so long from now on.
    pub async fn of(&self, space: &Space, lasts: Duration, about: &str) -> Result<i64> {
        let now = now() / 1_000;
        let bucket = Bucket::of(now, lasts.as_secs().saturating_add(1));
        let begun = Instant::now();
        if let Some(id) = self.known(bucket, begun.after(lasts)) {
            return Ok(id);
        }
        let left = bucket.end.saturating_sub(now);
        let body = json!({ "TTL": left.to_string() });
        let client = space.session.client()?;
        // One that is granted twice ends, as the other one does.
        let granted: Result<Granted, _> = client.ask(Effect::Read, "/v3/lease/grant", &body).await;
        let granted = granted.and_then(|granted| match granted.id.0 {
            // It would be no lease: the entry would stay for ever.
            0 => Err(Fault::Odd("a lease without a number".to_owned())),
            id => Ok(id),
        });
        let id = granted.map_err(|fault| fault.error(Effect::Read, about))?;
        let mut known = self.known.lock();
        known.retain(|bucket, _| bucket.end > now);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        let end = begun.after(Duration::from_secs(left));
        known.insert(bucket, Lease { id, end });
        Ok(id)
    }

    /// The lease that is remembered, if it lasts so long.
    fn known(&self, bucket: Bucket, until: Instant) -> Option<i64> {
        let known = self.known.lock();
        let lease = known.get(&bucket).filter(|lease| lease.end >= until);
        lease.map(|lease| lease.id)
    }

    /// Forgets all of them, since the server has lost one.
    pub fn forget(&self) {
        self.known.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_after_its_entries_and_soon_after() {
        for now in [0, 1, 15, 16, 1_800_000_000] {
            for seconds in [1, 2, 60, 3_600, 86_400, 3_153_600_000] {
                let bucket = Bucket::of(now, seconds);
                let (end, step) = (now + seconds, bucket.step);
                assert!(bucket.end > end && bucket.end <= end + 2 * step);
                assert!(step <= STEP.max(seconds / 4), "{seconds}: {step}");
            }
        }
        let later = |seconds| Bucket::of(1_000, seconds);
        assert_eq!(later(3_600), later(3_601));
    }

    #[test]
    fn a_lease_is_not_shared_with_an_entry_that_outlives_it() {
        let (leases, now, bucket) = (Leases::default(), Instant::now(), Bucket::of(1_000, 3_600));
        let end = now.after(Duration::from_secs(3_600));
        leases.known.lock().insert(bucket, Lease { id: 7, end });
        assert_eq!(leases.known(bucket, end), Some(7));
        // The host's clock was set back, so that the same end is further away than it was.
        let later = end.after(Duration::from_secs(1));
        assert_eq!(leases.known(bucket, later), None);
    }
}
