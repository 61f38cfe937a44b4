//! Members on their way out: whoever joins waits until they have given back what they had.

use std::time::Duration;
use tokio::{sync::watch, time::timeout};

#[derive(Default)]
pub(super) struct Leaving {
    count: watch::Sender<usize>,
}

impl Leaving {
    pub fn begin(&self) {
        self.count.send_modify(|count| *count += 1);
    }

    pub fn end(&self) {
        self.count.send_modify(|count| *count -= 1);
    }

    /// Waits for those under way, or for so long: then they come to an end by themselves.
    pub async fn settle(&self, limit: Duration) {
        let mut count = self.count.subscribe();
        let settled = count.wait_for(|count| *count == 0);
        let _ = timeout(limit, settled).await;
    }
}
