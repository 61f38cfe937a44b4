//! The one place that spawns: every task is tracked, so shutdown knows of everyone, and no panic goes unheard.

use crate::panics;
use futures::FutureExt as _;
use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, Location},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The pause before a loop that ended by a panic begins anew.
const AGAIN: Duration = Duration::from_secs(1);

/// The host's tasks and the signal that ends them.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs `task` until it ends by itself; a task that loops watches [`Tasks::stopping`]. A panic ends it alone, and
    /// is told.
    #[track_caller]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let place = Location::caller();
        self.tracker.spawn(async move {
            if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
                tell(place, &*panic, "what it did is left as it is");
            }
        });
    }

    /// Runs a loop that ends by itself when the host stops. One that ends by a panic begins anew.
    #[track_caller]
    pub fn keep<F>(&self, begin: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (place, stop) = (Location::caller(), self.stopping());
        self.tracker.spawn(async move {
            while let Err(panic) = AssertUnwindSafe(async { begin().await })
                .catch_unwind()
                .await
            {
                tell(place, &*panic, "it begins anew");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
        });
    }

    /// Fires when the host begins to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tells every task to stop and waits for them; false when some were still running after `limit`.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_ok()
    }
}

fn tell(task: &Location<'_>, panic: &(dyn Any + Send), then: &str) {
    tracing::error!(%task, panic = panics::text(panic), "a task of the host ended by a panic; {then}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    };

    #[tokio::test(start_paused = true)]
    async fn a_loop_begins_anew_after_a_panic_and_a_task_ends_alone() {
        let (tasks, begun) = (Tasks::default(), Arc::new(AtomicU32::new(0)));
        let count = begun.clone();
        tasks.keep(move || {
            let count = count.clone();
            async move { assert!(count.fetch_add(1, SeqCst) >= 2, "it is too early") }
        });
        tasks.spawn(async { panic!("this one alone") });
        tokio::time::sleep(AGAIN * 5).await;
        assert_eq!(begun.load(SeqCst), 3);
        assert!(tasks.stop(AGAIN).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_for_ever_ends_with_the_host() {
        let tasks = Tasks::default();
        tasks.keep(|| async { panic!("again") });
        tokio::time::sleep(AGAIN * 5).await;
        assert!(tasks.stop(AGAIN * 2).await);
    }
}
