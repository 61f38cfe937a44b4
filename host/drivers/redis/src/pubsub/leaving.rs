//! The members that are on their way out: whoever joins waits for them, and then looks for what they gave back.

use std::time::Duration;
use tokio::{sync::watch, time::timeout};

/// Counts members that leave, and those that have left.
#[derive(Default)]
pub(super) struct Leaving {
    counts: watch::Sender<(usize, u64)>,
}

impl Leaving {
    pub fn begin(&self) {
        self.counts.send_modify(|(under_way, _)| *under_way += 1);
    }

    pub fn end(&self) {
        self.counts.send_modify(|(under_way, left)| {
            *under_way -= 1;
            *left += 1;
        });
    }

    /// Waits for those under way, or for so long: then they come to an end by themselves.
    pub async fn settle(&self, limit: Duration) {
        let mut counts = self.counts.subscribe();
        let settled = counts.wait_for(|(under_way, _)| *under_way == 0);
        let _ = timeout(limit, settled).await;
    }

    /// The counts, for whoever waits for a member to leave.
    pub fn left(&self) -> watch::Receiver<(usize, u64)> {
        self.counts.subscribe()
    }
}
