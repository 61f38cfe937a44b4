//! The members of groups that this driver has: they come, they show that they live, and they go.

use super::{sql::Sql, store::Store};
use crate::{
    client::{Lent, column},
    fault::Fault,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::task::{AbortHandle, JoinHandle};
use wythe_blocks::{Error, Result, random, time::milliseconds};

/// Groups that end at once.
const GROUPS: usize = 100_000;

/// The place of a member in its group.
#[derive(Clone)]
pub(super) struct Joined {
    pub id: String,
    pub topic: String,
    pub group: String,
    ephemeral: bool,
}

pub(super) struct Members {
    pub store: Arc<Store>,
    /// Members by id, each with the deliveries that the member knows of.
    all: Mutex<BTreeMap<String, (Joined, BTreeSet<i64>)>>,
    /// Members on their way out.
    leaving: Mutex<Vec<JoinHandle<()>>>,
    alive: Mutex<Option<AbortHandle>>,
}

impl Drop for Members {
    fn drop(&mut self) {
        if let Some(task) = self.alive.get_mut().take() {
            task.abort();
        }
    }
}

impl Members {
    #[expect(
        clippy::disallowed_methods,
        reason = "the task belongs to the driver, which ends it when it is dropped"
    )]
    pub fn start(store: Arc<Store>) -> Arc<Self> {
        let every = store.lease / 3;
        let members = Arc::new(Members {
            store,
            all: Mutex::default(),
            leaving: Mutex::default(),
            alive: Mutex::default(),
        });
        let task = tokio::spawn(live(Arc::downgrade(&members), every));
        *members.alive.lock() = Some(task.abort_handle());
        members
    }

    pub async fn join(&self, topic: &str, group: &str, ephemeral: bool) -> Result<Joined> {
        self.left().await;
        let joined = Joined {
            id: random::name()?,
            topic: topic.to_owned(),
            group: group.to_owned(),
            ephemeral,
        };
        let lent = self.store.held.lend().await?;
        bury(&lent, &self.store.sql).await?;
        lent.atomically(|| self.enter(&lent, &joined)).await?;
        let known = (joined.clone(), BTreeSet::new());
        self.all.lock().insert(joined.id.clone(), known);
        Ok(joined)
    }

    async fn enter(&self, lent: &Lent, joined: &Joined) -> Result<Result<()>, Fault> {
        let (sql, lease) = (&self.store.sql, self.lease());
        let Joined {
            id,
            topic,
            group,
            ephemeral,
        } = joined;
        lent.rows(&sql.publishing.lock_topic, &[topic], 1).await?;
        let row = lent
            .one(&sql.joining.enter_group, &[topic, group, ephemeral])
            .await?;
        if column::<bool>(&row, 0)? && !ephemeral {
            return Ok(Err(Error::conflict(format!(
                "group `{group}` of topic `{topic}` is in use as an ephemeral one; expected another name"
            ))));
        }
        lent.execute(&sql.joining.enter, &[id, topic, group, &(2 * lease)])
            .await?;
        if !ephemeral {
            lent.execute(&sql.joining.adopt, &[topic, group]).await?;
        }
        Ok(Ok(()))
    }

    fn lease(&self) -> i64 {
        i64::try_from(milliseconds(self.store.lease)).unwrap_or(i64::MAX / 2)
    }

    /// Waits for those who are on their way out, so that what comes after them finds them gone.
    async fn left(&self) {
        let leaving = std::mem::take(&mut *self.leaving.lock());
        for task in leaving {
            // One that failed is found by its time.
            _ = task.await;
        }
    }

    /// Notes deliveries that a member has, so that they stay with it.
    pub fn note(&self, joined: &str, ids: impl Iterator<Item = i64>) {
        if let Some((_, known)) = self.all.lock().get_mut(joined) {
            known.extend(ids);
        }
    }

    /// Forgets deliveries of a member.
    pub fn forget(&self, joined: &str, ids: &[i64]) {
        if let Some((_, known)) = self.all.lock().get_mut(joined) {
            ids.iter().for_each(|id| _ = known.remove(id));
        }
    }

    /// Lets a member go, whose deliveries are free then.
    #[expect(
        clippy::disallowed_methods,
        reason = "a member that is dropped cannot wait; the next one that joins and the end of the driver do"
    )]
    pub fn leave(self: &Arc<Self>, joined: &str) {
        let Some((joined, _)) = self.all.lock().remove(joined) else {
            return;
        };
        let members = self.clone();
        // Without a runtime there is no driver either.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let task = tokio::spawn(async move { members.go(&joined).await });
        let mut leaving = self.leaving.lock();
        leaving.retain(|task| !task.is_finished());
        leaving.push(task);
    }

    /// Gives back what the member has; one that fails to is found by its time.
    async fn go(&self, joined: &Joined) {
        let Ok(lent) = self.store.held.lend().await else {
            return;
        };
        let sql = &self.store.sql;
        let gone = async {
            lent.rows(&sql.joining.release, &[&joined.id], 1).await?;
            lent.execute(&sql.joining.leave, &[&joined.id]).await
        };
        if gone.await.is_ok() && joined.ephemeral {
            _ = bury(&lent, sql).await;
        }
        self.store.wake.notify_waiters();
    }

    pub async fn close(self: &Arc<Self>) {
        let all: Vec<_> = self.all.lock().keys().cloned().collect();
        all.iter().for_each(|joined| self.leave(joined));
        self.left().await;
        if let Some(task) = self.alive.lock().take() {
            task.abort();
        }
    }

    /// Shows that the members live, and that they have what they have.
    async fn show(&self) -> Result<()> {
        let lent = self.store.held.lend().await?;
        self.renew(&lent).await.map_err(Fault::of_write)?;
        bury(&lent, &self.store.sql).await
    }

    async fn renew(&self, lent: &Lent) -> Result<(), Fault> {
        let (sql, lease) = (&self.store.sql, self.lease());
        let all: Vec<_> = self.all.lock().values().cloned().collect();
        for (joined, known) in all {
            let ids: Vec<i64> = known.into_iter().collect();
            lent.execute(&sql.joining.longer, &[&joined.id, &ids, &lease])
                .await?;
            let alive = lent
                .execute(&sql.joining.alive, &[&joined.id, &(2 * lease)])
                .await?;
            if alive == 0 && self.all.lock().contains_key(&joined.id) {
                // Others took it for gone. One that does not come in again keeps no other from being renewed.
                _ = lent.atomically(|| self.enter(lent, &joined)).await;
            }
        }
        Ok(())
    }
}

/// Ends members that are gone, and ephemeral groups with their last one.
async fn bury(lent: &Lent, sql: &Sql) -> Result<()> {
    let sql = &sql.joining;
    let work = || async {
        lent.execute(&sql.bury_members, &[]).await?;
        let desolate = lent.rows(&sql.lock_desolate, &[], GROUPS).await?;
        if !desolate.is_empty() {
            lent.execute(&sql.end_deliveries, &[]).await?;
            lent.execute(&sql.end_groups, &[]).await?;
        }
        Ok(Ok(()))
    };
    lent.atomically(work).await
}

async fn live(members: Weak<Members>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(members) = members.upgrade() else {
            return;
        };
        // The next time is soon enough: the lease has room for two that fail.
        _ = members.show().await;
    }
}
