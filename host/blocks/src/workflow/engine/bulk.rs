//! All instances of a workflow at once, a page of them at a time: for an operator who has too many.

use super::{Engine, Filter, Instance};
use crate::{Call, Error, Kind as ErrorKind, Result};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Instances that one call looks at.
const PAGE: u32 = 200;
/// Instances to which an operation is delivered at once.
const AT_ONCE: usize = 32;
/// Time for one instance, whose step has to come to its end first.
const PATIENCE: Duration = Duration::from_secs(20);

/// An operation on all instances of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bulk {
    /// Ends the instances that have not ended.
    Terminate,
    /// Removes the instances that have ended.
    Purge,
}

/// The outcome for a page of instances.
#[derive(Debug, Default)]
pub struct Swept {
    pub done: usize,
    /// Ids of those that stay as they were, and why.
    pub failed: Vec<(String, Error)>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

impl Engine {
    /// Ends or removes the instances of a workflow, `order` or `app/order`, that come after `cursor`, 200 at most.
    pub async fn sweep(
        self: &Arc<Self>,
        caller: &Call,
        what: Bulk,
        name: &str,
        cursor: Option<&str>,
    ) -> Result<Swept> {
        let (app, name) = match name.split_once('/') {
            Some((app, name)) => (Some(app), name),
            None => (None, name),
        };
        let filter = Filter {
            name: Some(name.to_owned()),
            ..Filter::default()
        };
        let page = self.list(caller, &filter, cursor, PAGE).await?;
        let is_meant = |one: &Instance| {
            app.is_none_or(|app| one.app == app) && one.status.has_ended() == (what == Bulk::Purge)
        };
        let meant = page.instances.into_iter().filter(is_meant);
        let ended = meant.map(|one| async move {
            let ended = tokio::time::timeout(PATIENCE, self.end_one(caller, what, &one.id)).await;
            let late = || Error::timeout("it is still in a step; try again");
            (one.id, ended.unwrap_or_else(|_| Err(late())))
        });
        let mut swept = Swept {
            next: page.next,
            ..Swept::default()
        };
        let mut ended = stream::iter(ended).buffer_unordered(AT_ONCE);
        while let Some((id, outcome)) = ended.next().await {
            match outcome {
                Ok(()) => swept.done += 1,
                // It ended or was removed by somebody else meanwhile.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict) => {
                }
                Err(error) => swept.failed.push((id, error)),
            }
        }
        Ok(swept)
    }

    async fn end_one(self: &Arc<Self>, caller: &Call, what: Bulk, id: &str) -> Result<()> {
        match what {
            Bulk::Terminate => self.terminate(caller, id, Bytes::new()).await,
            Bulk::Purge => self.purge(caller, id).await,
        }
    }
}
