//! The apps that can be notified of changes, and the watchers that notify them.

use super::{
    Configuration, Configured, Subscription, keys,
    watcher::{Joining, Order, Watcher},
};
use crate::{App, Call, Error, Result, Slot, Trace, time::host_deadline};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wythe_manifest::{ComponentName, Name};

/// Orders that wait for a watcher.
const ORDERS: usize = 16;

/// An app since it was attached last; all that it subscribes to ends when it is attached again.
pub(super) struct Listener {
    pub app: Arc<App>,
    pub stop: CancellationToken,
}

pub(super) type Listeners = Mutex<HashMap<Name, Arc<Listener>>>;
/// One for each component that was ever subscribed to.
pub(super) type Watchers = Mutex<HashMap<ComponentName, mpsc::Sender<Order>>>;

impl Configuration {
    /// Starts an app's subscriptions, in place of those it had. Every problem is reported, and then nothing was started.
    pub async fn attach(
        &self,
        app: &Arc<App>,
        subscriptions: Vec<Subscription>,
    ) -> Result<(), Vec<Error>> {
        let caller = Call::app(
            app.tenant().clone(),
            app.id().clone(),
            app.grants().clone(),
            Trace::quiet(),
            host_deadline(),
        );
        let listener = Arc::new(Listener {
            app: app.clone(),
            stop: self.tasks.stopping().child_token(),
        });
        if let Err(problems) = self.join_all(&listener, &caller, subscriptions).await {
            listener.stop.cancel();
            return Err(problems);
        }
        let mut listeners = self.listeners.lock();
        if let Some(old) = listeners.insert(app.id().clone(), listener) {
            old.stop.cancel();
        }
        Ok(())
    }

    /// Ends an app's subscriptions.
    pub(crate) fn detach(&self, app: &Name) {
        let mut listeners = self.listeners.lock();
        if let Some(old) = listeners.remove(app) {
            old.stop.cancel();
        }
    }

    /// Ends the watch of a component that is gone.
    pub(crate) fn unwatch(&self, component: &ComponentName) {
        let mut watchers = self.watchers.lock();
        watchers.remove(component);
    }

    /// Forgets every listener and watcher.
    pub(crate) fn clear(&self) {
        self.listeners.lock().clear();
        self.watchers.lock().clear();
    }

    async fn join_all(
        &self,
        listener: &Arc<Listener>,
        caller: &Call,
        subscriptions: Vec<Subscription>,
    ) -> Result<(), Vec<Error>> {
        let (mut ready, mut problems) = (Vec::new(), Vec::new());
        for subscription in subscriptions {
            match self.prepare(caller, &subscription.component, &subscription.keys) {
                Ok(pair) => ready.push(pair),
                Err(error) => problems.push(error),
            }
        }
        if problems.is_empty() {
            for (store, keys) in ready {
                let joined = self.join(listener, caller, &store, keys).await;
                problems.extend(joined.err());
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    fn prepare(
        &self,
        caller: &Call,
        component: &str,
        asked: &[String],
    ) -> Result<(Arc<Slot<Configured>>, Vec<String>)> {
        let asked = keys::checked(asked)?;
        Ok((self.granted(caller, component)?, asked))
    }

    /// Subscribes the app to changes from now on. The same component and keys again are the same subscription.
    pub async fn subscribe(
        &self,
        caller: &Call,
        component: &str,
        asked: &[String],
    ) -> Result<String> {
        let (store, asked) = self.prepare(caller, component, asked)?;
        let listener = self.listener(caller)?;
        self.join(&listener, caller, &store, asked).await
    }

    /// An id that is not this app's, or is over, is `not-found`.
    pub async fn unsubscribe(&self, caller: &Call, component: &str, id: &str) -> Result<()> {
        let store = self.granted(caller, component)?;
        let missing = || {
            let app = caller.app_id();
            Error::not_found(format!(
                "app `{app}` has no subscription of this id to `{component}`"
            ))
        };
        let listener = self.listener(caller).map_err(|_| missing())?;
        let (reply, answer) = oneshot::channel();
        let id = id.to_owned();
        let leave = Order::Leave {
            listener,
            id,
            reply,
        };
        match self.ordered(caller, &store, leave, answer).await? {
            true => Ok(()),
            false => Err(missing()),
        }
    }

    async fn join(
        &self,
        listener: &Arc<Listener>,
        caller: &Call,
        store: &Arc<Slot<Configured>>,
        keys: Vec<String>,
    ) -> Result<String> {
        let component = store.name();
        let id = keys::id_of(caller.tenant(), caller.app_id(), component.as_str(), &keys);
        let joining = Joining {
            listener: listener.clone(),
            id: id.clone(),
            keys,
        };
        let (reply, answer) = oneshot::channel();
        let join = Order::Join { joining, reply };
        self.ordered(caller, store, join, answer).await??;
        Ok(id)
    }

    /// Gives an order to the component's watcher and waits for its answer, no longer than the caller does.
    async fn ordered<T>(
        &self,
        caller: &Call,
        store: &Arc<Slot<Configured>>,
        order: Order,
        answer: oneshot::Receiver<T>,
    ) -> Result<T> {
        let watcher = self.watcher(caller.tenant(), store);
        let stopping = || Error::unavailable("the host is stopping");
        let asked = async {
            watcher.send(order).await.map_err(|_| stopping())?;
            answer.await.map_err(|_| stopping())
        };
        let asked = tokio::time::timeout_at(caller.deadline().into(), asked).await;
        asked.unwrap_or_else(|_| {
            let component = store.name();
            Err(Error::timeout(format!(
                "configuration component `{component}` did not answer in time"
            )))
        })
    }

    fn watcher(&self, tenant: &Name, store: &Arc<Slot<Configured>>) -> mpsc::Sender<Order> {
        let mut watchers = self.watchers.lock();
        let start = || {
            let (orders, received) = mpsc::channel(ORDERS);
            let watcher = Watcher::new(tenant.clone(), store.clone(), self.tasks.clone());
            self.tasks.spawn(watcher.run(received));
            orders
        };
        watchers.entry(store.name()).or_insert_with(start).clone()
    }

    fn listener(&self, caller: &Call) -> Result<Arc<Listener>> {
        let app = caller.app_id();
        let listeners = self.listeners.lock();
        match listeners.get(app) {
            Some(listener) if listener.app.exports().configuration_listener => Ok(listener.clone()),
            Some(_) => Err(Error::unsupported(format!(
                "app `{app}` does not export wythe:blocks/configuration-listener, which hears of changes; \
                 export it, or ask for what has changed"
            ))),
            None => Err(Error::unavailable(format!(
                "app `{app}` is not started yet; subscribe again in a moment"
            ))),
        }
    }
}
