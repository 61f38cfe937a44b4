//! Leases, by whose end the server removes what nobody asks for any more. When an entry is over is in the entry itself;
//! entries that end at about the same time share a lease, so that there are few.

use crate::{space::Space, wire::Granted};
use parking_lot::Mutex;
use serde_json::json;
use std::{collections::HashMap, time::Duration};
use wythe_blocks::{Result, time::now};
use wythe_client::Effect;

/// Seconds between the ends of two leases, at least.
const STEP: u64 = 16;
/// Leases that are remembered: others are asked for anew.
const REMEMBERED: usize = 1_000;

#[derive(Default)]
pub(crate) struct Leases {
    known: Mutex<HashMap<Bucket, i64>>,
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
        if let Some(lease) = self.known.lock().get(&bucket) {
            return Ok(*lease);
        }
        let body = json!({ "TTL": bucket.end.saturating_sub(now).to_string() });
        let client = space.session.client()?;
        // One that is granted twice ends, as the other one does.
        let granted: Result<Granted, _> = client.ask(Effect::Read, "/v3/lease/grant", &body).await;
        let granted = granted.map_err(|fault| fault.error(Effect::Read, about))?;
        let mut known = self.known.lock();
        known.retain(|bucket, _| bucket.end > now);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(bucket, granted.id.0);
        Ok(granted.id.0)
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
}
