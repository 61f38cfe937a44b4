//! What an earlier process left: its rows are read, and its instances taken up a few at a time.

use super::{
    engine::{Engine, Item, PAUSE},
    keys,
    work::Work,
};
use crate::Result;
use futures::{StreamExt, stream::FuturesUnordered};
use std::sync::Arc;

/// Instances that are taken up at once after a start.
const TAKE_UP: usize = 4;

impl Engine {
    /// What the rows say is to be done; nothing else is looked at, however many instances there are.
    pub(super) async fn recover(self: Arc<Self>) {
        while let Err(error) = self.recover_rows().await {
            tracing::warn!(tenant = %self.tenant, "workflows are not taken up yet: {}", error.chain());
            if !self.pause(PAUSE).await {
                return;
            }
        }
    }

    async fn recover_rows(self: &Arc<Self>) -> Result<()> {
        self.each_row(&keys::all_ended(), |key, row| {
            self.deliver_end(key, row.value);
            Ok(())
        })
        .await?;
        self.each_row(&keys::all_works(), |key, _| {
            self.dispatch(Work::kept(key));
            Ok(())
        })
        .await?;
        let (ready, mut ids) = (keys::ready(""), Vec::new());
        self.each_row(&ready, |key, _| {
            ids.push(key.strip_prefix(&ready).unwrap_or_default().to_owned());
            Ok(())
        })
        .await?;
        self.take_up_ready(ids).await
    }

    /// A few at a time, since others want to be answered meanwhile; those whose step did not end with the host before
    /// come last, and one by one.
    async fn take_up_ready(self: &Arc<Self>, ids: Vec<String>) -> Result<()> {
        let mut spinners = Vec::new();
        let mut taken_up = FuturesUnordered::new();
        for id in ids {
            let spins = (self.meta(&id).await?).is_some_and(|(meta, _)| meta.tries > 0);
            if spins {
                spinners.push(id);
                continue;
            }
            if taken_up.len() >= TAKE_UP {
                taken_up.next().await;
            }
            taken_up.push(self.take_up_one(id));
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
        let _ = self.tell(&id, Item::Run).await;
    }
}
