//! The place of a component in its tenant. Handles hold it, so that a component which takes the place of another is what
//! they use from their next call on.

use super::{Close, Component};
use crate::{Call, Error, Result};
use arc_swap::ArcSwap;
use std::{ops::Deref, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::task::task_tracker::TaskTrackerToken;
use wythe_manifest::ComponentName;

/// A place for one component after the other.
pub struct Slot<D: ?Sized> {
    /// The component, or the last one where there is none now.
    component: ArcSwap<Component<D>>,
    stage: watch::Sender<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Another component is on its way: calls wait for it.
    Moves,
    /// The last change left it without a component; the place waits for one.
    Broken,
    Gone,
}

/// A component that is not closed before this is dropped.
pub struct Use<D: ?Sized> {
    component: Arc<Component<D>>,
    _token: TaskTrackerToken,
}

impl<D: ?Sized> Deref for Use<D> {
    type Target = Component<D>;

    fn deref(&self) -> &Component<D> {
        &self.component
    }
}

impl<D: ?Sized> Slot<D> {
    pub(crate) fn new(component: Arc<Component<D>>) -> Self {
        Slot {
            component: ArcSwap::new(component),
            stage: watch::Sender::new(Stage::Open),
        }
    }

    /// The component as it is now, to ask for what needs no call: its name, its features.
    pub fn component(&self) -> Arc<Component<D>> {
        self.component.load_full()
    }

    pub fn name(&self) -> ComponentName {
        self.component.load().name.clone()
    }

    /// The component for one call; where it moves, the call waits, no longer than its deadline.
    pub async fn enter(&self, caller: &Call) -> Result<Use<D>> {
        loop {
            let component = self.component.load_full();
            // The token comes before the look, so that whoever closes the component waits for all that found it open.
            let token = component.uses.token();
            let stage = *self.stage.borrow();
            match stage {
                Stage::Open
                    if !component.is_in_scope(caller.app_id()) && caller.grants().is_some() =>
                {
                    return Err(component.missing(caller));
                }
                // It may be another one's place by now.
                Stage::Open if !Arc::ptr_eq(&component, &self.component.load()) => continue,
                Stage::Open => {
                    return Ok(Use {
                        component,
                        _token: token,
                    });
                }
                Stage::Moves => drop(token),
                Stage::Broken => return Err(self.broken()),
                Stage::Gone => return Err(component.missing(caller)),
            }
            // Boxed, so that the future of a call that does not wait stays small.
            Box::pin(self.moved(caller)).await?;
        }
    }

    /// Waits until the place has a component, or has none for good.
    async fn moved(&self, caller: &Call) -> Result<()> {
        let mut stages = self.stage.subscribe();
        let moved = stages.wait_for(|stage| *stage != Stage::Moves);
        let moved = tokio::time::timeout_at(caller.deadline().into(), moved).await;
        moved.map(drop).map_err(|_| {
            let name = self.name();
            Error::unavailable(format!("component `{name}` is being replaced; try again"))
        })
    }

    /// The error of a place whose component could not be opened.
    pub(super) fn broken(&self) -> Error {
        Error::unavailable(format!(
            "component `{}` could not be opened again after a change; the log says why",
            self.name()
        ))
    }

    /// Lets no further call in, waits for those under way, at most for `limit`, and closes the component.
    pub(super) async fn leave(&self, is_for_good: bool, limit: Duration)
    where
        D: Close,
    {
        let stage = match is_for_good {
            true => Stage::Gone,
            false => Stage::Moves,
        };
        if self.stage.send_replace(stage) != Stage::Open {
            // It was closed when it left.
            return;
        }
        let component = self.component.load_full();
        component.uses.close();
        if tokio::time::timeout(limit, component.uses.wait())
            .await
            .is_err()
        {
            tracing::warn!(component = %component.name, "closed though calls of it are under way");
        }
        if let Err(error) = component.driver.close().await {
            tracing::error!(component = %component.name, "close: {}", error.chain());
        }
    }

    /// Says that no component could be opened for the place, which waits for one.
    pub(super) fn break_off(&self) {
        self.stage.send_replace(Stage::Broken);
    }

    pub(super) fn is_broken(&self) -> bool {
        *self.stage.borrow() == Stage::Broken
    }

    /// Puts a component into the place, and lets calls in.
    pub(super) fn fill(&self, component: Arc<Component<D>>) {
        self.component.store(component);
        self.stage.send_replace(Stage::Open);
    }

    /// Returns once the component is to close, so that a call which waits for something can end.
    pub(crate) async fn closed(&self) {
        let mut stages = self.stage.subscribe();
        // The sender is part of this place, so that it is there for as long as anybody waits.
        let _ = stages.wait_for(|stage| *stage != Stage::Open).await;
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.stage.borrow() == Stage::Open
    }
}

impl<D: ?Sized> Component<D> {
    /// The error for an app that may not know of the component, and for a call that comes too late.
    fn missing(&self, caller: &Call) -> Error {
        super::components::missing(self.block, self.name.as_str(), caller)
    }
}
