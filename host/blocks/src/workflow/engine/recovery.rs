//! The recovery of what an earlier process left: its rows are read, and its instances taken up a few at a time.

use super::{Engine, PAUSE, directory::Sort, work::Work};
use crate::workflow::{
    core::{
        attempt::Row,
        entry::{Kind, Parent},
        item::Item,
        peers::HostId,
    },
    store::{commit, keys},
};
use crate::{
    Error, Kind as ErrorKind, Rate, Result,
    state::{Mover, WORKFLOW},
};
use futures::{StreamExt, stream::FuturesUnordered};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Instances that are taken up at once after a start.
const TAKE_UP: usize = 4;
/// Instances whose step did not end with the host before and that are kept for the end.
const SPINNERS: usize = 10_000;
/// Tries to claim a row that others change.
const CLAIMS: usize = 3;

impl Engine {
    /// Does what the rows say is to be done; nothing else is looked at, however many instances there are.
    pub(super) async fn recover(self: Arc<Self>) {
        if !self.move_rows().await {
            return;
        }
        let failures = Rate::per_minute(1);
        while let Err(error) = self.enter_hosts().await {
            if let Some(suppressed) = failures.allows() {
                tracing::warn!(tenant = %self.tenant, suppressed, "workflows wait for their store: {}", error.chain());
            }
            if !self.pause(PAUSE).await {
                return;
            }
        }
        self.may_run.send_replace(true);
        tokio::join!(self.clone().recover_all(), self.watch_hosts());
    }

    async fn recover_all(self: Arc<Self>) {
        while let Err(error) = async {
            self.recover_rows().await?;
            self.count_alive().await
        }
        .await
        {
            tracing::warn!(tenant = %self.tenant, "workflows are not taken up yet: {}", error.chain());
            if !self.pause(PAUSE).await {
                return;
            }
        }
    }

    /// Gives rows of an earlier build the keys of this one. No code runs before; false where the host stops.
    async fn move_rows(&self) -> bool {
        let (failures, caller) = (Rate::per_minute(1), || self.caller());
        let mover = Mover {
            format: WORKFLOW,
            internal_store: &self.internal_store,
            caller: &caller,
            stop: self.stopping(),
        };
        loop {
            match mover.run(&keys::old()).await {
                Ok(is_over) => return is_over,
                Err(error) => {
                    if let Some(suppressed) = failures.allows() {
                        tracing::error!(tenant = %self.tenant, suppressed, "workflows wait: {}", error.chain());
                    }
                }
            }
            if !self.pause(PAUSE).await {
                return false;
            }
        }
    }

    /// Takes up what is this host's and what is nobody's.
    pub(super) async fn recover_rows(self: &Arc<Self>) -> Result<()> {
        let mut ended = self.scan(keys::all(keys::ENDED));
        while let Some(rows) = ended.next().await? {
            for (key, row) in rows {
                let Some(permit) = self.left().await else {
                    return Ok(());
                };
                if let Some((id, run, task)) = keys::parse_row(&key, keys::ENDED) {
                    let parent = Parent {
                        instance: id.to_owned(),
                        run,
                        task,
                    };
                    self.deliver_end(parent, row.value, Some(permit));
                }
            }
        }
        let mut works = self.scan(keys::all(keys::WORK));
        while let Some(rows) = works.next().await? {
            for (key, row) in rows {
                let Some(permit) = self.left().await else {
                    return Ok(());
                };
                let host = Row::decode(&row.value).ok().and_then(|row| row.host);
                if !self.is_elsewhere(host).await? {
                    self.dispatch(Work::stored(&key, permit));
                }
            }
        }
        self.take_up_ready().await
    }

    /// Returns whether another host that lives has what this one has found.
    async fn is_elsewhere(&self, host: Option<HostId>) -> Result<bool> {
        let own = self.hosts.own();
        match host.filter(|host| own.is_some_and(|own| own != *host)) {
            Some(host) => self.lives(host).await,
            None => Ok(false),
        }
    }

    /// Makes work this host's own; false where another host that lives does it, or one has to that has the code.
    pub(super) async fn claim(&self, key: &str) -> Result<bool> {
        for _ in 0..CLAIMS {
            let Some(own) = self.hosts.own() else {
                return Ok(true);
            };
            let Some(stored) = self.internal_store.get(&self.caller(), key).await? else {
                return Ok(true);
            };
            let Ok(mut row) = Row::decode(&stored.value) else {
                // Whoever does the work says what is wrong with it.
                return Ok(true);
            };
            if row.host == Some(own) {
                return Ok(true);
            }
            if self.is_elsewhere(row.host).await? || !self.has_code_for(key).await? {
                return Ok(false);
            }
            row.host = Some(own);
            let (put, caller) = (commit::attempt(key, row, stored.etag), self.caller());
            match self.internal_store.transact(&caller, vec![put]).await {
                Ok(_) => return Ok(true),
                // Somebody else was faster, or an earlier try of this one was.
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable("others change the row all the time"))
    }

    /// Returns whether an app is here that does what a row asks for; what nobody waits for any more needs none.
    async fn has_code_for(&self, key: &str) -> Result<bool> {
        let Some(order) = self.read_work(key).await? else {
            return Ok(true);
        };
        let (sort, name) = match &order.kind {
            Kind::ActivityScheduled { name, .. } => (Sort::Activity, name),
            Kind::ChildStarted { name, .. } => (Sort::Workflow, name),
            _ => return Ok(true),
        };
        let found = self.find(sort, name);
        let Err(error) = found else {
            return Ok(true);
        };
        if error.kind() != ErrorKind::NotFound {
            return Ok(true);
        }
        if let Some(suppressed) = self.hosts.absent.allows() {
            tracing::warn!(
                tenant = %self.tenant,
                workflow = order.origin.id,
                suppressed,
                "`{name}` of a host that is gone waits for one that has its app: start that app here, or that host again"
            );
        }
        Ok(false)
    }

    /// A place in memory for what is left to be done; none where the host stops.
    async fn left(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            permit = self.left.clone().acquire_owned() => permit.ok(),
            () = async { self.stopping().cancelled().await } => None,
        }
    }

    /// Takes up instances a few at a time, since others want to be answered meanwhile; those whose step did not end
    /// with the host before come last, and one by one.
    async fn take_up_ready(self: &Arc<Self>) -> Result<()> {
        let mut scan = self.scan(keys::all(keys::READY));
        let mut spinners = Vec::new();
        let mut taken_up = FuturesUnordered::new();
        while let Some(rows) = scan.next().await? {
            for (key, row) in rows {
                let Some(id) = keys::parse_ready(&key).map(str::to_owned) else {
                    continue;
                };
                if self.is_elsewhere(commit::runner(&row.value)).await? {
                    continue;
                }
                let spins = (self.meta(&id).await?).is_some_and(|(meta, _)| meta.tries > 0);
                if spins && spinners.len() < SPINNERS {
                    spinners.push(id);
                    continue;
                }
                if taken_up.len() >= TAKE_UP {
                    taken_up.next().await;
                }
                taken_up.push(self.take_up_one(id));
            }
        }
        while taken_up.next().await.is_some() {}
        drop(taken_up);
        for id in spinners {
            self.take_up_one(id).await;
        }
        Ok(())
    }

    async fn take_up_one(self: &Arc<Self>, id: String) {
        // What went wrong is in the log, and the instance is tried again by itself.
        let _ = self.deliver_item(&id, Item::Run).await;
    }
}
