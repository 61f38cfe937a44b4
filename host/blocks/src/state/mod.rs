//! The whole of the state block's rules: who may open a store, which keys are whose, and what a driver is asked.

mod copier;
mod driver;
mod format;
mod internal;
mod keys;
mod moving;
mod prefix;
mod store;
mod stored;
#[cfg(test)]
mod tests;

pub use copier::{Copier, Portion};
pub use driver::{Condition, Delete, Driver, Entry, Etag, Features, Page, Put};
pub use driver::{MAX_ANSWER, Operation, PutOptions, beyond, get_each, put_each, sum};
pub(crate) use format::{ACTORS, WORKFLOW};
pub(crate) use internal::{ACTOR_VALUES, RESERVED};
pub use internal::{InternalStore, chosen};
pub use keys::{KeyPrefix, MAX_KEY};
pub(crate) use keys::{SEPARATOR, check as check_key, check_prefix};
pub(crate) use moving::{Mover, Old};
pub use prefix::after_all;
pub use store::Store;
pub use stored::{Amount, Charge, Stored};

use crate::{
    Call, Component, Components, Result, Slot,
    component::{self, Close},
    opening::{self, Opening, require, take},
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::Arc;
use wythe_manifest::{ByteSize, Component as Manifest, ComponentName};

/// Keys of one `get-many`, and the upper bound of a page.
pub const MAX_KEYS: usize = 1_000;
const DEFAULT_PAGE: u32 = 100;

const GET: component::Operation = component::Operation::idempotent(0, "get");
const GET_MANY: component::Operation = component::Operation::idempotent(1, "get-many");
const PUT: component::Operation = component::Operation::once(2, "put");
const PUT_MANY: component::Operation = component::Operation::once(3, "put-many");
const DELETE: component::Operation = component::Operation::once(4, "delete");
const TRANSACT: component::Operation = component::Operation::once(5, "transact");
const LIST: component::Operation = component::Operation::idempotent(6, "list");
const INCREMENT: component::Operation = component::Operation::once(7, "increment");

pub(crate) const OPERATIONS: &[component::Operation] = &[
    GET, GET_MANY, PUT, PUT_MANY, DELETE, TRANSACT, LIST, INCREMENT,
];

/// A driver with what its component says about keys and sizes.
pub struct Configured {
    pub driver: Arc<dyn Driver>,
    pub prefix: KeyPrefix,
    pub max_value: u64,
    /// True if `actorStateStore` marks it: the host keeps its own records here.
    pub is_marked: bool,
}

/// The part of a component that the block reads itself.
pub(crate) struct Written {
    prefix: KeyPrefix,
    max_value: u64,
    is_marked: bool,
}

impl Written {
    /// `limit` is how large a value may be, unless the component says otherwise by `maxValueBytes`.
    pub fn take(component: &mut Manifest, limit: u64) -> Result<Self> {
        let size = take::<ByteSize>(component, "maxValueBytes")?;
        Ok(Written {
            prefix: KeyPrefix::take(component)?,
            max_value: size.map_or(limit, |size| size.0),
            is_marked: take::<bool>(component, "actorStateStore")?.unwrap_or(false),
        })
    }
}

pub(crate) type Prepared = opening::Prepared<dyn Driver, Written>;

/// The state block.
pub struct State {
    pub(crate) components: Components<Configured>,
    /// The component that was chosen to keep actors and workflows.
    internal_store: Mutex<Option<Arc<Slot<Configured>>>>,
}

impl Default for State {
    fn default() -> Self {
        State {
            components: Components::new("state"),
            internal_store: Mutex::default(),
        }
    }
}

#[async_trait]
impl Close for Configured {
    async fn close(&self) -> Result<()> {
        self.driver.close().await
    }

    async fn health(&self) -> Result<()> {
        self.driver.health().await
    }

    fn describe(&self) -> Option<String> {
        self.driver.describe()
    }
}

impl State {
    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let (component, written, driver) = prepared.open().await?;
        let features = driver.features();
        require(&component, |name| features.has(name))?;
        let configured = Arc::new(Configured {
            driver,
            prefix: written.prefix,
            max_value: written.max_value,
            is_marked: written.is_marked,
        });
        let made = Component::new(
            opening.tenant,
            "state",
            OPERATIONS,
            &component,
            configured.clone(),
        );
        let slot = Arc::new(Slot::new(Arc::new(made)));
        if let Err(error) = self.check(opening, slot).await {
            configured.close().await?;
            return Err(error);
        }
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// Checks a component in a place of its own, before any call finds it.
    async fn check(&self, opening: &Opening<'_>, slot: Arc<Slot<Configured>>) -> Result<()> {
        let component = slot.component();
        self.check_replacement(component.name(), component.driver())?;
        match InternalStore::of(slot) {
            Ok(internal_store) => format::check(&internal_store, opening.tenant).await,
            // It keeps what apps put there, and nothing of the host's own.
            Err(_) => Ok(()),
        }
    }

    /// Refuses to put a component in the place of one whose data would be out of reach from then on.
    fn check_replacement(&self, name: &ComponentName, new: &Configured) -> Result<()> {
        let Some(old) = self.components.of(name).map(|slot| slot.component()) else {
            return Ok(());
        };
        old.driver().prefix.check_replacement(&new.prefix)?;
        match self.is_internal_store(name) {
            true => internal::check(name, &*new.driver),
            false => Ok(()),
        }
    }

    /// Finds the component and checks scope and grant, once for many calls.
    pub fn open(&self, caller: &Call, name: &str) -> Result<Store> {
        let what = format_args!("state component `{name}`");
        caller.require_grant(|grants| grants.state(name), what, "state", name)?;
        let component = self.components.find(caller, name)?;
        let found = component.component();
        let prefix = found.driver().prefix.resolve(caller, found.name());
        Ok(Store { component, prefix })
    }
}
