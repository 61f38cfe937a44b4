//! The components of one block of a tenant, by name.

use super::{Close, Component, Slot, Use};
use crate::{
    Call, Error, Metrics, Result,
    error::Cut,
    last::Failed,
    text::{cut, escape},
    time::HOST_CALL,
};
use arc_swap::ArcSwap;
use async_trait::async_trait;
use futures::future::join_all;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::time::timeout;
use wythe_manifest::ComponentName;

/// The time for calls under way when their component goes.
const GOING: Duration = HOST_CALL;
/// Bytes of what a driver says of its server.
const DESCRIPTION: usize = 256;
/// The time for a driver's answer about its health.
const HEALTH: Duration = Duration::from_millis(500);

type ByName<D> = BTreeMap<ComponentName, Arc<Slot<D>>>;

/// The components of one block.
pub struct Components<D: ?Sized> {
    block: &'static str,
    by_name: ArcSwap<ByName<D>>,
}

impl<D: ?Sized> Components<D> {
    pub fn new(block: &'static str) -> Self {
        Components {
            block,
            by_name: ArcSwap::default(),
        }
    }

    pub(crate) fn block(&self) -> &'static str {
        self.block
    }

    /// Puts a component in its place, which others may have had before.
    pub fn insert(&self, metrics: &Metrics, component: Component<D>) {
        let component = Arc::new(component);
        metrics.watch(&component.metrics);
        if let Some(slot) = self.by_name.load().get(&component.name) {
            return slot.fill(component);
        }
        self.by_name.rcu(|map| {
            let mut map = ByName::clone(map);
            let slot = Arc::new(Slot::new(component.clone()));
            map.insert(component.name.clone(), slot);
            map
        });
    }

    /// The component's place, if there is one and the caller is in its scope. Both failures read the same, so that
    /// nobody learns the names of what is not theirs.
    pub fn find(&self, caller: &Call, name: &str) -> Result<Arc<Slot<D>>> {
        let missing = || missing(self.block, name, caller);
        let parsed: ComponentName = name.parse().map_err(|_| missing())?;
        self.of(&parsed)
            .filter(|slot| slot.component().is_in_scope(caller.app_id()))
            .ok_or_else(missing)
    }

    /// The component itself, for one call.
    pub(crate) async fn enter(&self, caller: &Call, name: &str) -> Result<Use<D>> {
        self.find(caller, name)?.enter(caller).await
    }

    /// The component's place, for the host itself: no scope applies.
    pub(crate) fn of(&self, name: &ComponentName) -> Option<Arc<Slot<D>>> {
        self.by_name.load().get(name).cloned()
    }

    /// Places of all components, in the order of their names.
    pub fn all(&self) -> Vec<Arc<Slot<D>>> {
        self.by_name.load().values().cloned().collect()
    }
}

/// Changes of a block's components, whatever they are.
#[async_trait]
pub(crate) trait Changing: Send + Sync {
    /// Closes a component, for another one to take its place; calls wait until then. False where there is none.
    async fn vacate(&self, name: &ComponentName) -> bool;

    /// Says that no component could be opened for a place, which stays there for the next one.
    fn break_off(&self, name: &ComponentName);

    /// Closes a component for good; handles that are left find none. False where there is none.
    async fn remove(&self, name: &ComponentName) -> bool;

    /// The last call of a component that failed.
    fn last_error(&self, name: &ComponentName) -> Option<Failed>;

    /// The server that a component speaks to.
    fn description(&self, name: &ComponentName) -> Option<String>;

    /// Components that cannot do their work, with the reason.
    async fn unwell(&self) -> Vec<(ComponentName, Error)>;

    /// Closes every component and forgets it. Nobody waits for calls under way: their tasks have ended.
    async fn close(&self);
}

#[async_trait]
impl<D: Close> Changing for Components<D> {
    fn last_error(&self, name: &ComponentName) -> Option<Failed> {
        self.of(name)?.component().last.get()
    }

    fn description(&self, name: &ComponentName) -> Option<String> {
        let text = self.of(name)?.component().driver().describe()?;
        Some(cut(&escape(&text), DESCRIPTION).to_owned())
    }

    async fn vacate(&self, name: &ComponentName) -> bool {
        let slot = self.of(name);
        if let Some(slot) = &slot {
            slot.leave(false, GOING).await;
        }
        slot.is_some()
    }

    fn break_off(&self, name: &ComponentName) {
        if let Some(slot) = self.of(name) {
            slot.break_off();
        }
    }

    async fn remove(&self, name: &ComponentName) -> bool {
        let Some(slot) = self.of(name) else {
            return false;
        };
        self.by_name.rcu(|map| {
            let mut map = ByName::clone(map);
            map.remove(name);
            map
        });
        slot.leave(true, GOING).await;
        true
    }

    async fn unwell(&self) -> Vec<(ComponentName, Error)> {
        let slots = self.all();
        let asked = slots.iter().map(|slot| async {
            if slot.is_broken() {
                return Some((slot.name(), slot.broken()));
            }
            if !slot.is_open() {
                return None;
            }
            let component = slot.component();
            let health = timeout(HEALTH, component.driver().health()).await;
            let late = |_| Err(Error::unavailable("no answer about its health"));
            let error = health.unwrap_or_else(late).err()?;
            Some((component.name.clone(), error))
        });
        // All at once, so that one slow server makes nobody wait for the others.
        join_all(asked).await.into_iter().flatten().collect()
    }

    async fn close(&self) {
        for slot in self.by_name.swap(Arc::default()).values() {
            slot.leave(true, Duration::ZERO).await;
        }
    }
}

/// The error where there is no such component, or none that the app may use.
pub(super) fn missing(block: &str, name: &str, caller: &Call) -> Error {
    Error::not_found(format!(
        "no {block} component `{}` for app `{}`",
        Cut(name),
        caller.app_id()
    ))
}
