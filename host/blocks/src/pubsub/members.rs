//! Members of groups at a server, as a driver has them: those that there are, and those that are on their way out.

use crate::{Error, Result};
use async_trait::async_trait;
use futures::future::join_all;
use parking_lot::Mutex;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{runtime::Handle, sync::watch, time::timeout};

/// The part of a member that outlives its consumer.
#[async_trait]
pub trait Leave: Send + Sync + 'static {
    fn has_left(&self) -> bool;

    /// Gives back what the member has, once.
    async fn leave(&self) -> Result<()>;

    /// Says in the log that the server hands on what the member has by itself.
    fn report(&self, error: &Error);
}

/// The members of a component. Whoever joins waits until those on their way out have given back what they had.
pub struct Members<M> {
    all: Mutex<Vec<Weak<M>>>,
    /// Members that leave, and those that have left.
    counts: watch::Sender<(usize, u64)>,
}

impl<M> Default for Members<M> {
    fn default() -> Self {
        Members {
            all: Mutex::default(),
            counts: watch::Sender::default(),
        }
    }
}

impl<M: Leave> Members<M> {
    pub fn add(&self, member: &Arc<M>) {
        let mut all = self.all.lock();
        all.retain(|member| member.strong_count() > 0);
        all.push(Arc::downgrade(member));
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

    /// Has a member leave whose consumer was dropped.
    #[expect(
        clippy::disallowed_methods,
        reason = "a task of a few calls, which gives back what the member has"
    )]
    pub fn dismiss(self: &Arc<Self>, member: Arc<M>) {
        // Without a runtime the process is at its end; others take over what it has.
        if member.has_left() || Handle::try_current().is_err() {
            return;
        }
        let members = self.clone();
        members.counts.send_modify(|(under_way, _)| *under_way += 1);
        tokio::spawn(async move {
            if let Err(error) = member.leave().await {
                member.report(&error);
            }
            members.counts.send_modify(|(under_way, left)| {
                *under_way -= 1;
                *left += 1;
            });
        });
    }

    /// Has all members leave, and returns the first error of them.
    pub async fn close(&self) -> Result<()> {
        let all = std::mem::take(&mut *self.all.lock());
        let members = all.iter().filter_map(Weak::upgrade);
        let left = members.map(|member| async move { member.leave().await });
        join_all(left).await.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

    #[derive(Default)]
    struct One {
        fails: bool,
        has_left: AtomicBool,
    }

    #[async_trait]
    impl Leave for One {
        fn has_left(&self) -> bool {
            self.has_left.load(Relaxed)
        }

        async fn leave(&self) -> Result<()> {
            tokio::task::yield_now().await;
            self.has_left.store(true, Relaxed);
            match self.fails {
                false => Ok(()),
                true => Err(Error::unavailable("no server")),
            }
        }

        fn report(&self, _error: &Error) {}
    }

    #[tokio::test]
    async fn a_close_has_all_members_leave_whichever_fails() {
        let members = Members::default();
        let all = [true, false].map(|fails| {
            Arc::new(One {
                fails,
                ..One::default()
            })
        });
        all.iter().for_each(|one| members.add(one));
        assert!(members.close().await.is_err());
        assert!(all.iter().all(|one| one.has_left()));
    }

    #[tokio::test]
    async fn whoever_joins_waits_for_those_on_their_way_out() {
        let members = Arc::new(Members::default());
        let one = Arc::new(One::default());
        members.dismiss(one.clone());
        assert!(!one.has_left());
        members.settle(Duration::from_secs(60)).await;
        assert!(one.has_left());
        assert_eq!(*members.left().borrow(), (0, 1));
        members.dismiss(one);
        assert_eq!(*members.left().borrow(), (0, 1), "once");
    }
}
