//! The recovery of what an earlier process left: its rows are read, and its instances taken up a few at a time.

use super::{Engine, PAUSE, work::Work};
use crate::workflow::{
    core::{attempt::Row, entry::Parent, item::Item},
    store::{commit, keys},
};
use crate::{
    Kind as ErrorKind, Rate, Result,
    state::{Entry as Record, Mover, WORKFLOW},
};
use futures::{StreamExt, stream::FuturesUnordered};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// Instances that are taken up at once after a start.
const TAKE_UP: usize = 4;
/// Instances whose step did not end with the host before and that are kept for the end.
const SPINNERS: usize = 10_000;

impl Engine {
    /// Does what the rows say is to be done; nothing else is looked at, however many instances there are.
    pub(super) async fn recover(self: Arc<Self>) {
        if !self.move_rows().await {
            return;
        }
        while let Err(error) = self.enter_hosts().await {
            tracing::warn!(tenant = %self.tenant, "workflows wait for their store: {}", error.chain());
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
                if self.claim(&key, row).await? {
                    self.dispatch(Work::stored(&key, permit));
                }
            }
        }
        self.take_up_ready().await
    }

    /// Makes work this host's own; false where a host that lives does it.
    async fn claim(&self, key: &str, stored: Record) -> Result<bool> {
        let Some(own) = self.hosts.own() else {
            return Ok(true);
        };
        let Ok(mut row) = Row::decode(&stored.value) else {
            // Whoever does the work says what is wrong with it.
            return Ok(true);
        };
        match row.host {
            Some(host) if host == own => return Ok(true),
            Some(host) if self.lives(host).await? => return Ok(false),
            _ => row.host = Some(own),
        }
        let put = commit::attempt(key, row, stored.etag);
        let caller = self.caller();
        match self.internal_store.transact(&caller, vec![put]).await {
            Ok(_) => Ok(true),
            // Somebody else was faster, or it is done.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
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
            for (key, _) in rows {
                let Some(id) = keys::parse_ready(&key).map(str::to_owned) else {
                    continue;
                };
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
