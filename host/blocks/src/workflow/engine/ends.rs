//! Waiting for the end of an instance, without asking for it again and again.

use super::{Engine, Instance};
use crate::workflow::core::{machine::is_over, names};
use crate::{Call, Rate, Result};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// The interval of looks at the record: where another host on the same store runs the instance, nothing tells this one
/// of its end.
const LOOK: Duration = Duration::from_secs(1);

/// Lines of the log about workflows that failed, a minute.
const FAILED_LINES: u32 = 12;

/// A bell for each instance that somebody waits for.
pub(super) struct Ends {
    bells: Mutex<HashMap<String, Arc<Notify>>>,
    /// Lines about those that failed.
    pub failed: Rate,
}

impl Default for Ends {
    fn default() -> Self {
        Ends {
            bells: Mutex::default(),
            failed: Rate::per_minute(FAILED_LINES),
        }
    }
}

/// The watch of one who waits; the last one takes the bell away.
struct Watch<'a> {
    ends: &'a Ends,
    id: &'a str,
    bell: Arc<Notify>,
}

impl Ends {
    pub fn ring(&self, id: &str) {
        if let Some(bell) = self.lock().get(id) {
            bell.notify_waiters();
        }
    }

    fn watch<'a>(&'a self, id: &'a str) -> Watch<'a> {
        let bell = self.lock().entry(id.to_owned()).or_default().clone();
        Watch {
            ends: self,
            id,
            bell,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.bells.lock()
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut bells = self.ends.lock();
        // One in the map and this one.
        if Arc::strong_count(&self.bell) == 2 {
            bells.remove(self.id);
        }
    }
}

impl Engine {
    /// Does what [`Engine::get`] does, once the instance has ended or stalled, or when the time is over.
    pub async fn wait_end(
        &self,
        caller: &Call,
        id: &str,
        timeout: Duration,
    ) -> Result<Option<Instance>> {
        names::check_id(id)?;
        let watch = self.ends.watch(id);
        let begin = Instant::now();
        loop {
            // Whatever ends after the look below rings.
            let rung = watch.bell.notified();
            tokio::pin!(rung);
            rung.as_mut().enable();
            let found = self.get(caller, id).await?;
            let left = timeout.saturating_sub(begin.elapsed());
            let goes_on = found.as_ref().is_some_and(|found| !is_over(found.status));
            if !goes_on || left.is_zero() {
                return Ok(found);
            }
            tokio::select! {
                () = rung => {}
                () = tokio::time::sleep(left.min(LOOK)) => {}
                () = async { self.stopping().cancelled().await } => return Ok(found),
            }
        }
    }
}
