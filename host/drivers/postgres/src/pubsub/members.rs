//! The members of groups that this driver has: they come, they show that they live, and they go.

use super::{sql::Sql, store::Store};
use crate::{client::Lent, client::column, fault::Fault, held::Tries};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::task::{AbortHandle, JoinHandle};
use wythe_blocks::{Error, Result, random, time::milliseconds};

/// The seat of a member.
#[derive(Clone)]
pub(super) struct Seat {
    pub id: String,
    pub topic: String,
    pub group: String,
    ephemeral: bool,
}

pub(super) struct Members {
    pub store: Arc<Store>,
    /// Seats by id, each with the deliveries that the member knows of.
    seats: Mutex<BTreeMap<String, (Seat, BTreeSet<i64>)>>,
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
    pub fn start(store: Arc<Store>) -> Result<Arc<Self>> {
        let every = store.lease / 3;
        let members = Arc::new(Members {
            store,
            seats: Mutex::default(),
            leaving: Mutex::default(),
            alive: Mutex::default(),
        });
        let task = tokio::spawn(live(Arc::downgrade(&members), every));
        *members.alive.lock() = Some(task.abort_handle());
        Ok(members)
    }

    pub async fn join(&self, topic: &str, group: &str, ephemeral: bool) -> Result<Seat> {
        self.left().await;
        let seat = Seat {
            id: random::name()?,
            topic: topic.to_owned(),
            group: group.to_owned(),
            ephemeral,
        };
        let lent = self.store.held.lend().await?;
        let mut tries = Tries::default();
        loop {
            let work = async {
                bury(&lent, &self.store.sql).await?;
                self.enter(&lent, &seat).await
            };
            match lent.attempt(&mut tries, work).await {
                ControlFlow::Break(Ok(())) => break,
                ControlFlow::Break(Err(error)) => return Err(error),
                ControlFlow::Continue(()) => {}
            }
        }
        let known = (seat.clone(), BTreeSet::new());
        self.seats.lock().insert(seat.id.clone(), known);
        Ok(seat)
    }

    async fn enter(&self, lent: &Lent, seat: &Seat) -> Result<Result<()>, Fault> {
        let (sql, lease) = (&self.store.sql, self.lease());
        let Seat {
            id,
            topic,
            group,
            ephemeral,
        } = seat;
        lent.rows(&sql.lock_topic, &[topic], 1).await?;
        let row = lent
            .row(&sql.enter_group, &[topic, group, ephemeral])
            .await?;
        let row = row.ok_or_else(|| Fault::Odd("no group".to_owned()))?;
        if column::<bool>(&row, 0)? && !ephemeral {
            return Ok(Err(Error::conflict(format!(
                "group `{group}` of topic `{topic}` is in use as an ephemeral one; expected another name"
            ))));
        }
        lent.execute(&sql.enter, &[id, topic, group, &(2 * lease)])
            .await?;
        if !ephemeral {
            lent.execute(&sql.adopt, &[topic, group]).await?;
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
    pub fn note(&self, seat: &str, ids: impl Iterator<Item = i64>) {
        if let Some((_, known)) = self.seats.lock().get_mut(seat) {
            known.extend(ids);
        }
    }

    /// Forgets deliveries of a member.
    pub fn forget(&self, seat: &str, ids: &[i64]) {
        if let Some((_, known)) = self.seats.lock().get_mut(seat) {
            ids.iter().for_each(|id| _ = known.remove(id));
        }
    }

    /// Lets a member go, whose deliveries are free then.
    #[expect(
        clippy::disallowed_methods,
        reason = "a member that is dropped cannot wait; the next one that joins and the end of the driver do"
    )]
    pub fn leave(self: &Arc<Self>, seat: &str) {
        let Some((seat, _)) = self.seats.lock().remove(seat) else {
            return;
        };
        let members = self.clone();
        // Without a runtime there is no driver either.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let task = tokio::spawn(async move { members.go(&seat).await });
        let mut leaving = self.leaving.lock();
        leaving.retain(|task| !task.is_finished());
        leaving.push(task);
    }

    /// What fails here is found by its time.
    async fn go(&self, seat: &Seat) {
        let Ok(lent) = self.store.held.lend().await else {
            return;
        };
        let sql = &self.store.sql;
        let gone = async {
            lent.rows(&sql.release, &[&seat.id], 1).await?;
            lent.execute(&sql.leave, &[&seat.id]).await?;
            if seat.ephemeral {
                bury(&lent, sql).await?;
            }
            Ok::<_, Fault>(())
        };
        _ = gone.await;
        self.store.wake.notify_waiters();
    }

    pub async fn close(self: &Arc<Self>) {
        let seats: Vec<_> = self.seats.lock().keys().cloned().collect();
        seats.iter().for_each(|seat| self.leave(seat));
        self.left().await;
        if let Some(task) = self.alive.lock().take() {
            task.abort();
        }
    }

    /// Shows that the members live, and that they have what they have.
    async fn show(&self) -> Result<(), Fault> {
        let Ok(lent) = self.store.held.lend().await else {
            return Ok(());
        };
        let (sql, lease) = (&self.store.sql, self.lease());
        let seats: Vec<_> = self.seats.lock().values().cloned().collect();
        for (seat, known) in seats {
            let ids: Vec<i64> = known.into_iter().collect();
            lent.execute(&sql.longer, &[&seat.id, &ids, &lease]).await?;
            let alive = lent.execute(&sql.alive, &[&seat.id, &(2 * lease)]).await?;
            if alive == 0 && self.seats.lock().contains_key(&seat.id) {
                // Others took it for gone.
                lent.begin().await?;
                let entered = self.enter(&lent, &seat).await?;
                match entered {
                    Ok(()) => lent.commit().await?,
                    Err(_) => lent.rollback().await?,
                }
            }
        }
        bury(&lent, sql).await
    }
}

/// Ends members that are gone, and ephemeral groups with their last one.
async fn bury(lent: &Lent, sql: &Sql) -> Result<(), Fault> {
    lent.execute(&sql.bury_members, &[]).await?;
    lent.execute(&sql.end_deliveries, &[]).await?;
    lent.execute(&sql.end_groups, &[]).await.map(drop)
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
