//! One task for each component that has subscribers: it waits for changes, reads the items, and hands them on.
//!
//! Whoever subscribes does so by an order to it, so the items that a subscription begins with and those that it hears
//! of later are read one after the other.

use super::{Configured, GET, Item, VERSION, WAIT, delivery::Delivery, listening::Listener};
use crate::{
    Backoff, Call, Component, Error, Kind, Result, Slot, Tasks, panics, time::host_deadline,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use wythe_manifest::Name;

/// The longest single wait for a change, after which the wait begins anew; it is less than any call may take.
const WAIT_SLICE: Duration = Duration::from_secs(5);
/// The pause after a look that failed; it doubles with each, up to the last.
const PAUSE: Backoff = Backoff::SLOW;
/// Subscriptions of one app to one component.
const MAX_SUBSCRIPTIONS: usize = 1_000;
/// The name of the caller in spans and metrics.
const NAME: &str = "watcher";

/// Items by key, all of one moment.
pub(super) type State = BTreeMap<String, Item>;

/// A request to a watcher.
pub(super) enum Order {
    Join {
        joining: Joining,
        reply: oneshot::Sender<Result<()>>,
    },
    /// Ends a subscription; the reply says whether there was such a one.
    Leave {
        listener: Arc<Listener>,
        id: String,
        reply: oneshot::Sender<bool>,
    },
}

pub(super) struct Joining {
    pub listener: Arc<Listener>,
    pub id: String,
    /// The keys in order; none for all items.
    pub keys: Vec<String>,
}

struct Joined {
    is: Joining,
    stop: CancellationToken,
}

impl Joined {
    fn is_of(&self, listener: &Arc<Listener>) -> bool {
        Arc::ptr_eq(&self.is.listener, listener)
    }
}

pub(super) struct Watcher {
    tenant: Name,
    component: Arc<Slot<Configured>>,
    tasks: Tasks,
    joined: Vec<Joined>,
    /// The items that anybody wants to hear of.
    states: watch::Sender<Arc<State>>,
    /// The store's version before they were read, and the component that reported it: another one counts otherwise.
    version: Option<String>,
    of: Weak<Component<Configured>>,
    pause: Backoff,
}

impl Watcher {
    pub fn new(tenant: Name, component: Arc<Slot<Configured>>, tasks: Tasks) -> Self {
        Watcher {
            tenant,
            component,
            tasks,
            joined: Vec::new(),
            states: watch::Sender::default(),
            version: None,
            of: Weak::new(),
            pause: PAUSE,
        }
    }

    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let stopping = self.tasks.stopping();
        loop {
            let step = self.step(&stopping, &mut orders);
            match panics::caught(Kind::Internal, || "a watch of configuration".into(), step).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => tokio::time::sleep(PAUSE.after(1)).await,
            }
        }
    }

    /// Takes one step, and returns false when there is nothing more to do.
    async fn step(
        &mut self,
        stopping: &CancellationToken,
        orders: &mut mpsc::Receiver<Order>,
    ) -> Result<bool> {
        self.joined.retain(|joined| !joined.stop.is_cancelled());
        let listens = !self.joined.is_empty();
        tokio::select! {
            biased;
            () = stopping.cancelled() => return Ok(false),
            order = orders.recv() => match order {
                Some(order) => self.obey(order).await,
                None => return Ok(false),
            },
            () = self.look(), if listens => {}
        }
        Ok(true)
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Join { joining, reply } => {
                // Whoever does not wait any more does not want the answer.
                let _ = reply.send(self.join(joining).await);
            }
            Order::Leave {
                listener,
                id,
                reply,
            } => {
                let is = |joined: &Joined| joined.is_of(&listener) && joined.is.id == id;
                let place = self.joined.iter().position(is);
                let left = place.map(|place| self.joined.remove(place));
                let _ = reply.send(left.is_some());
                if let Some(left) = left {
                    left.stop.cancel();
                }
            }
        }
    }

    async fn join(&mut self, joining: Joining) -> Result<()> {
        let listener = &joining.listener;
        let own: Vec<_> = self.joined.iter().filter(|j| j.is_of(listener)).collect();
        if own.iter().any(|joined| joined.is.id == joining.id) {
            return Ok(());
        }
        if own.len() >= MAX_SUBSCRIPTIONS {
            return Err(Error::exhausted(format!(
                "app `{}` has {MAX_SUBSCRIPTIONS} subscriptions to `{}`, which is the most; unsubscribe some, or ask for more keys in one",
                listener.app.id(),
                self.component.name()
            )));
        }
        let state = self.refresh(Some(&joining)).await?;
        let stop = listener.stop.child_token();
        let delivery = Delivery::new(&joining, self.component.name().as_str(), &state);
        // What was sent so far is what the subscription begins with.
        let states = self.states.subscribe();
        self.tasks.spawn(delivery.run(states, stop.clone()));
        self.joined.push(Joined { is: joining, stop });
        Ok(())
    }

    /// Waits for another version and hands the items on. Dropping it loses nothing.
    async fn look(&mut self) {
        let looked = match self.is_changed().await {
            Ok(false) => return,
            Ok(true) => self.refresh(None).await.map(drop),
            Err(error) => Err(error),
        };
        let Err(error) = looked else {
            self.pause.reset();
            return;
        };
        tracing::warn!(component = %self.component.name(), "watch: {}", error.chain());
        tokio::time::sleep(self.pause.fail()).await;
    }

    /// Returns at a change, and after a while without one.
    async fn is_changed(&self) -> Result<bool> {
        let now = self.component.component();
        let Some(version) = &self.version else {
            return Ok(true);
        };
        if !std::ptr::eq(self.of.as_ptr(), Arc::as_ptr(&now)) {
            return Ok(true);
        }
        let caller = self.caller();
        let component = self.component.enter(&caller).await?;
        let waited = component.call(&caller, WAIT, |d| async {
            let waited = tokio::time::timeout(WAIT_SLICE, d.driver.wait(version)).await;
            waited.map_or(Ok(false), |waited| waited.map(|()| true))
        });
        // Another component may be on its way, which waits for this one to be let go.
        let waited = tokio::select! {
            waited = waited => waited?,
            () = self.component.closed() => true,
        };
        drop(component);
        // A driver that waits for ever is found out by asking it.
        Ok(waited || self.read_version(&caller).await? != *version)
    }

    async fn read_version(&self, caller: &Call) -> Result<String> {
        self.component
            .enter(caller)
            .await?
            .call(caller, VERSION, |d| d.driver.version())
            .await
    }

    /// Reads what all subscriptions want, and one that is to come, and hands it on.
    async fn refresh(&mut self, more: Option<&Joining>) -> Result<Arc<State>> {
        let caller = self.caller();
        let now = self.component.component();
        // Before the items are read, so that a change in between is seen the next time.
        let version = self.read_version(&caller).await?;
        let keys = self.wanted(more);
        let items = self
            .component
            .enter(&caller)
            .await?
            .call(&caller, GET, |d| d.driver.get(&keys))
            .await?;
        (self.version, self.of) = (Some(version), Arc::downgrade(&now));
        let items = items.into_iter().map(|item| (item.key.clone(), item));
        let state = Arc::new(items.collect::<State>());
        self.states.send_replace(state.clone());
        Ok(state)
    }

    /// The keys that are wanted, with those of `more`; none for all items.
    fn wanted(&self, more: Option<&Joining>) -> Vec<String> {
        let subscriptions = self.joined.iter().map(|joined| &joined.is).chain(more);
        let mut keys = BTreeSet::new();
        for subscription in subscriptions {
            if subscription.keys.is_empty() {
                return Vec::new();
            }
            keys.extend(&subscription.keys);
        }
        keys.into_iter().cloned().collect()
    }

    /// The host asks for itself: what each app may have was found out before.
    fn caller(&self) -> Call {
        let name = NAME.parse().expect("a good name");
        Call::operator(self.tenant.clone(), name, host_deadline())
    }
}
