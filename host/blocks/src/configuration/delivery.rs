//! The delivery of changes to an app: what differs from what it has heard, again and again until it has it.

use super::{
    Change,
    listening::Listener,
    watcher::{Joining, State},
};
use crate::{Backoff, time};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The pause before the second attempt; it doubles with each, up to the last.
const RETRY: Backoff = Backoff::SLOW;
/// Attempts after the first.
const RETRIES: u32 = 10;

/// The end of an attempt.
enum Handed {
    /// The app has the change.
    Over,
    Failed,
    /// The app had no room for the call.
    Busy,
}

/// One subscription, and what its app has heard.
pub(super) struct Delivery {
    listener: Arc<Listener>,
    component: String,
    id: String,
    /// The keys in order; none for all items.
    keys: Vec<String>,
    /// The items that the app has.
    known: State,
    /// Keys of attempts that failed: the app may have heard of them, and of which state nobody knows.
    unsure: BTreeSet<String>,
}

impl Delivery {
    /// The app is taken to know the items as they are now.
    pub fn new(joining: &Joining, component: &str, state: &State) -> Self {
        let mut delivery = Delivery {
            listener: joining.listener.clone(),
            component: component.to_owned(),
            id: joining.id.clone(),
            keys: joining.keys.clone(),
            known: BTreeMap::new(),
            unsure: BTreeSet::new(),
        };
        delivery.known = delivery.own(state);
        delivery
    }

    /// Delivers each new state until it is stopped, or nobody watches any more.
    pub async fn run(mut self, mut states: watch::Receiver<Arc<State>>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = states.changed() => if changed.is_err() {
                    return;
                }
            }
            self.settle(&mut states, &stop).await;
        }
    }

    /// Delivers the last state, until the app has it or has failed too often. States in between are skipped.
    async fn settle(&mut self, states: &mut watch::Receiver<Arc<State>>, stop: &CancellationToken) {
        let (mut tried, mut failures) = (State::new(), 0);
        while !stop.is_cancelled() {
            let state = states.borrow_and_update().clone();
            let wanted = self.own(&state);
            let Some(change) = self.change_to(&wanted) else {
                return;
            };
            if wanted != tried {
                (tried, failures) = (wanted, 0);
            }
            let handed = self.hand_over(change, failures + 1).await;
            if matches!(handed, Handed::Busy) {
                // The app has not seen it, so this is no try.
                if !time::pause(stop, RETRY.after(1)).await {
                    return;
                }
                continue;
            }
            if matches!(handed, Handed::Over) || failures == RETRIES {
                self.known = tried;
                self.unsure.clear();
                return;
            }
            failures += 1;
            if !time::pause(stop, RETRY.after(failures)).await {
                return;
            }
        }
    }

    /// The items that the subscription is about.
    fn own(&self, state: &State) -> State {
        let all = self.keys.is_empty();
        let is_own = |key: &String| all || self.keys.binary_search(key).is_ok();
        let own = state.iter().filter(|(key, _)| is_own(key));
        own.map(|(key, item)| (key.clone(), item.clone())).collect()
    }

    /// The change from what the app has to what it should have; absent where the app has all of it.
    fn change_to(&self, wanted: &State) -> Option<Change> {
        let mut change = Change {
            component: self.component.clone(),
            subscription: self.id.clone(),
            items: Vec::new(),
            removed: Vec::new(),
        };
        let keys = self.known.keys().chain(wanted.keys()).chain(&self.unsure);
        for key in keys.collect::<BTreeSet<_>>() {
            let item = wanted.get(key);
            if self.known.get(key) == item && !self.unsure.contains(key) {
                continue;
            }
            match item {
                Some(item) => change.items.push(item.clone()),
                None => change.removed.push(key.clone()),
            }
        }
        (!change.items.is_empty() || !change.removed.is_empty()).then_some(change)
    }

    /// Hands a change to the app.
    async fn hand_over(&mut self, change: Change, attempt: u32) -> Handed {
        let keys = change.items.iter().map(|item| &item.key);
        let keys: Vec<_> = keys.chain(&change.removed).cloned().collect();
        let Err(error) = self.listener.app.on_change(change).await else {
            return Handed::Over;
        };
        if self.listener.app.has_refused(&error) {
            tracing::debug!(app = %self.listener.app.id(), "on-change waits: {error}");
            return Handed::Busy;
        }
        self.unsure.extend(keys);
        let given_up = if attempt > RETRIES {
            "; it is given up"
        } else {
            ""
        };
        tracing::warn!(
            tenant = %self.listener.app.tenant(),
            app = %self.listener.app.id(),
            component = self.component,
            attempt,
            "on-change: {}{given_up}",
            error.chain()
        );
        Handed::Failed
    }
}
