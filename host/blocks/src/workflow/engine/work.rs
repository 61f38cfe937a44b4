//! Work that a workflow asks for: its row, what it stands for, and when it is tried again.

use super::Engine;
use crate::workflow::{
    core::{
        attempt::{Row, is_wanted},
        entry::{Entry, Kind},
        meta::Meta,
    },
    store::keys,
};
use crate::{Error, Result, Trace};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

/// Bytes of an input that are kept in memory while its activity waits for its turn; larger ones are read then.
pub(super) const SMALL: usize = 16 << 10;
/// A piece of work that is to be done, by its row.
pub(super) struct Work {
    pub key: String,
    /// Absent where only the row is known.
    pub asked: Option<Order>,
    /// Permit of what an earlier process left.
    _permit: Option<OwnedSemaphorePermit>,
}

/// The order of a row: what it asks for.
#[derive(Clone)]
pub(super) struct Order {
    pub row: Row,
    pub kind: Kind,
    /// Absent where it is large: it is read when its turn comes.
    input: Option<Bytes>,
    pub origin: Origin,
}

/// The instance that asks.
#[derive(Clone)]
pub(super) struct Origin {
    pub id: String,
    pub app: String,
    trace: Option<Trace>,
}

impl Origin {
    pub fn of(meta: &Meta) -> Self {
        Origin {
            id: meta.id.clone(),
            app: meta.app.clone(),
            trace: meta.trace,
        }
    }

    /// The instance's span, if it has one.
    pub fn trace(&self) -> Option<Trace> {
        self.trace
    }

    /// The instance's span; an instance of an earlier version has none, and each question another one.
    pub fn span(&self) -> Trace {
        self.trace.unwrap_or_else(Trace::start)
    }
}

impl Work {
    pub fn new(key: String, asked: Order) -> Self {
        Work {
            key,
            asked: Some(asked),
            _permit: None,
        }
    }

    /// Work of which only the row is known, if there is one.
    pub fn found(key: String) -> Self {
        Work {
            key,
            asked: None,
            _permit: None,
        }
    }

    pub fn stored(key: &str, permit: OwnedSemaphorePermit) -> Self {
        Work {
            key: key.to_owned(),
            asked: None,
            _permit: Some(permit),
        }
    }

    /// The app of the instance that starts a child, if that is what the work is.
    pub fn parent_app(&self) -> Option<String> {
        let order = self.asked.as_ref()?;
        let is_child = matches!(order.kind, Kind::ChildStarted { .. });
        is_child.then(|| order.origin.app.clone())
    }
}

impl Order {
    pub fn new(row: Row, asked: &Entry, origin: Origin) -> Self {
        let input = &asked.payload;
        Order {
            row,
            kind: asked.kind.clone(),
            input: (input.len() <= SMALL).then(|| input.clone()),
            origin,
        }
    }
}

/// The work that a row stands for.
pub(super) struct Asked<'a> {
    pub key: &'a str,
    pub run: u32,
    pub order: &'a Order,
}

impl Engine {
    /// Reads an order; absent if nobody waits for it any more.
    pub(super) async fn read_work(&self, key: &str) -> Result<Option<Order>> {
        let Ok(_turn) = self.lookups.acquire().await else {
            return Ok(None);
        };
        let Some(stored) = self.internal_store.get(&self.caller(), key).await? else {
            return Ok(None);
        };
        let row = Row::decode(&stored.value)?;
        let Some((id, run, _)) = of_work(key) else {
            return Ok(None);
        };
        let Some((meta, _)) = self.meta(id).await? else {
            return Ok(None);
        };
        if !is_wanted(&meta, run) {
            return Ok(None);
        }
        let entry = self.read_entry(id, run, row.entry).await?;
        let origin = Origin::of(&meta);
        Ok(entry.map(|entry| Order::new(row, &entry, origin)))
    }

    pub(super) async fn input(&self, asked: &Asked<'_>) -> Result<Bytes> {
        let order = asked.order;
        if let Some(input) = &order.input {
            return Ok(input.clone());
        }
        let entry = self.read_entry(&order.origin.id, asked.run, order.row.entry);
        let entry = entry
            .await?
            .ok_or_else(|| Error::not_found("its entry is gone"))?;
        Ok(entry.payload)
    }
}

pub(super) fn of_work(key: &str) -> Option<(&str, u32, u32)> {
    keys::parse_row(key, keys::WORK)
}
