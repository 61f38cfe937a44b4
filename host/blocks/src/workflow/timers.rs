//! Durable timers: rows in the order of their time, and one task that waits for the first of them.

use super::{
    Timestamp,
    engine::{Engine, Item},
    keys, now,
};
use crate::Result;
use futures::{StreamExt, stream};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// The interval of looks, however far the next timer is: another host may have set one, and clocks are set.
const LOOK: Duration = Duration::from_secs(30);
/// The pause before a timer whose instance could not take it is tried again.
const AGAIN: u64 = 10_000;
/// Timers that are told at once.
const AT_ONCE: usize = 64;

type Skipped = HashMap<String, Timestamp>;

impl Engine {
    pub(super) async fn keep_time(self: Arc<Self>) {
        let mut skipped = Skipped::new();
        loop {
            let earlier = self.earlier.notified();
            tokio::pin!(earlier);
            earlier.as_mut().enable();
            // Whatever is set while the rows are read rings the bell.
            self.next_wake.store(u64::MAX, Ordering::SeqCst);
            let next = match self.fire(&mut skipped).await {
                Ok(next) => next.unwrap_or(u64::MAX),
                Err(error) => {
                    tracing::warn!(tenant = %self.tenant, "timers: {}", error.chain());
                    now().saturating_add(1_000)
                }
            };
            self.next_wake.store(next, Ordering::SeqCst);
            let wait = Duration::from_millis(next.saturating_sub(now())).min(LOOK);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = earlier => {}
                () = async { self.stopping().cancelled().await } => return,
            }
        }
    }

    /// Tells every timer whose time has come, and returns when the next one's comes.
    async fn fire(self: &Arc<Self>, skipped: &mut Skipped) -> Result<Option<Timestamp>> {
        let mut cursor: Option<String> = None;
        let mut next = None;
        loop {
            let page = self.page(&keys::wakes(), cursor.as_deref()).await?;
            let mut due = Vec::new();
            let mut later = None;
            for (key, _) in &page.entries {
                let at = keys::parse_wake(key).map_or(0, |(at, ..)| at);
                if at > now() {
                    later = Some(at);
                    break;
                }
                match skipped.get(key) {
                    Some(until) if *until > now() => next = earliest(next, Some(*until)),
                    _ => due.push(key.clone()),
                }
            }
            for key in self.fire_each(due).await {
                skipped.insert(key, now() + AGAIN);
                next = earliest(next, Some(now() + AGAIN));
            }
            if later.is_some() || page.next.is_none() {
                skipped.retain(|_, until| *until > now());
                return Ok(earliest(next, later));
            }
            cursor = page.next;
        }
    }

    /// The keys of those that could not be told.
    async fn fire_each(self: &Arc<Self>, due: Vec<String>) -> Vec<String> {
        let tell = |key: String| async move {
            let Some((_, rest, run, task)) = keys::parse_wake(&key) else {
                return Some(key);
            };
            let id = rest.to_owned();
            let item = Item::Fired {
                key: key.clone(),
                run,
                task,
            };
            self.tell(&id, item).await.is_err().then_some(key)
        };
        let told = stream::iter(due).map(tell).buffer_unordered(AT_ONCE);
        told.filter_map(|failed| async move { failed })
            .collect()
            .await
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}
