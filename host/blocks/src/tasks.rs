//! The place that spawns: every task is tracked, so shutdown knows of everyone, and no panic goes unheard. Two drivers have
//! a sweeper beside it, which ends with its driver.

use crate::{panics, time};
use futures::FutureExt as _;
use std::{
    any::Any,
    future::Future,
    panic::{AssertUnwindSafe, Location},
    sync::Arc,
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The pause before a loop that ended by a panic begins anew.
const AGAIN: Duration = Duration::from_secs(1);

/// The tasks of the host, of a tenant or of an app, and the signal that ends them.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    /// The list that has these tasks as well.
    parent: Option<Arc<Tasks>>,
}

impl Tasks {
    /// A list of its own for some of these tasks, which can end before the others.
    #[must_use]
    pub fn child(&self) -> Self {
        Tasks {
            tracker: TaskTracker::new(),
            stop: self.stop.child_token(),
            parent: Some(Arc::new(self.clone())),
        }
    }

    /// Runs a future that is on this list and on those above.
    #[expect(clippy::disallowed_methods, reason = "this is the list")]
    fn track(&self, task: impl Future<Output = ()> + Send + 'static) {
        let lists = std::iter::successors(Some(self), |list| list.parent.as_deref());
        // Those above come first and go first: once this list is empty, they have nothing of it any more.
        let mut tokens: Vec<_> = lists.map(|list| list.tracker.token()).collect();
        tokens.reverse();
        tokio::spawn(async move {
            task.await;
            drop(tokens);
        });
    }

    /// Runs `task` until it ends by itself; a task that loops watches [`Tasks::stopping`]. A panic ends it alone, and
    /// is told.
    #[track_caller]
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let origin = Location::caller();
        // In a box: each of the stages around it would have room for it twice.
        let task = Box::pin(AssertUnwindSafe(task).catch_unwind());
        self.track(async move {
            if let Err(panic) = task.await {
                report(origin, &*panic, "what it did is left as it is");
            }
        });
    }

    /// Runs `task` as [`Tasks::spawn`] does, from a `drop`. Without a runtime the process is at its end, and nothing is done.
    #[track_caller]
    pub fn spawn_late(&self, task: impl Future<Output = ()> + Send + 'static) {
        if tokio::runtime::Handle::try_current().is_ok() {
            self.spawn(task);
        }
    }

    /// Runs a loop that ends by itself when the host stops. One that ends by a panic begins anew.
    #[track_caller]
    pub fn supervise<F>(&self, begin: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (origin, stop) = (Location::caller(), self.stopping());
        self.track(async move {
            while let Err(panic) = AssertUnwindSafe(async { begin().await })
                .catch_unwind()
                .await
            {
                report(origin, &*panic, "it begins anew");
                if !time::pause(&stop, AGAIN).await {
                    return;
                }
            }
        });
    }

    /// Fires when the host begins to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Tasks that have not ended.
    pub fn count(&self) -> usize {
        self.tracker.len()
    }

    /// Tells every task to stop, and waits for none.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Tells every task to stop and waits for them; false when some were still running after `limit`.
    pub async fn stop(&self, limit: Duration) -> bool {
        self.cancel();
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait())
            .await
            .is_ok()
    }
}

fn report(task: &Location<'_>, panic: &(dyn Any + Send), then: &str) {
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
        tasks.supervise(move || {
            let count = count.clone();
            async move { assert!(count.fetch_add(1, SeqCst) >= 2, "it is too early") }
        });
        tasks.spawn(async { panic!("this one alone") });
        tokio::time::sleep(AGAIN * 5).await;
        assert_eq!(begun.load(SeqCst), 3);
        assert!(tasks.stop(AGAIN).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_child_ends_before_its_parent_and_not_after_it() {
        let host = Tasks::default();
        let (one, other) = (host.child(), host.child());
        for tasks in [&one, &other] {
            let stopping = tasks.stopping();
            tasks.spawn(async move { stopping.cancelled().await });
        }
        assert!(one.stop(AGAIN).await);
        assert_eq!((one.count(), host.count()), (0, 1));
        assert!(!other.stopping().is_cancelled());
        other.spawn(std::future::pending());
        assert!(!host.stop(AGAIN).await, "the parent waits for its children");
        assert!(other.stopping().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_for_ever_ends_with_the_host() {
        let tasks = Tasks::default();
        tasks.supervise(|| async { panic!("again") });
        tokio::time::sleep(AGAIN * 5).await;
        assert!(tasks.stop(AGAIN * 2).await);
    }
}
