//! The host's own store: records of actors and workflows, in a state component, out of every app's reach.

use super::{
    Configured, DELETE, Delete, Driver, Entry, Etag, GET, LIST, Operation, Page, State, TRANSACT,
};
use crate::{Call, Error, Key, Kind, Result, Slot};
use std::sync::Arc;
use wythe_manifest::ComponentName;

/// Keys of the host begin with it, and no others do: a keyspace has a name before its separator, and no app's key has one.
pub(crate) const RESERVED: &str = "||";

/// The beginnings of the keys of what actors keep, though the host writes it: values, reminders, and events until they are
/// sent. An app says how many there are and what is in them.
pub(crate) const ACTOR_VALUES: [&str; 3] = [
    "||actors||entry||",
    "||actors||reminder||",
    "||actors||outbox/",
];

/// A state component that can keep the host's records: transactions, order and reads of what was written.
#[derive(Clone)]
pub struct InternalStore {
    component: Arc<Slot<Configured>>,
}

/// Chooses the state component that stores actors and workflows: the one that Dapr's `actorStateStore: "true"` marks;
/// without a mark the only one, or the one that is called `statestore`. A start and a check choose alike.
pub fn chosen<T>(
    all: &[T],
    is_marked: impl Fn(&T) -> bool,
    name: impl Fn(&T) -> &ComponentName,
) -> Result<&T> {
    let marked: Vec<_> = all.iter().filter(|one| is_marked(one)).collect();
    match (marked.as_slice(), all) {
        ([one], _) => Ok(*one),
        ([], [one]) => Ok(one),
        ([], several) => {
            let usual = several
                .iter()
                .find(|one| name(one).as_str() == "statestore");
            usual.ok_or_else(|| {
                Error::not_found(
                    "no state component keeps actors and workflows; mark one by `actorStateStore: \"true\"` in its metadata",
                )
            })
        }
        (several, _) => {
            let names: Vec<_> = several.iter().map(|one| name(one).as_str()).collect();
            Err(Error::invalid(format!(
                "state components {} are all marked by `actorStateStore`; expected one",
                names.join(", ")
            )))
        }
    }
}

impl State {
    /// The store of actors and workflows. It is chosen once: a component that takes the place of another one has the
    /// records of that one.
    pub fn internal_store(&self) -> Result<InternalStore> {
        let mut slot = self.internal_store.lock();
        let component = match &*slot {
            Some(component) => component.clone(),
            None => slot.insert(self.choose()?).clone(),
        };
        Ok(InternalStore { component })
    }

    /// Says whether actors and workflows are stored in this component.
    pub(crate) fn is_internal_store(&self, name: &ComponentName) -> bool {
        let slot = self.internal_store.lock();
        slot.as_ref().is_some_and(|slot| slot.name() == *name)
    }

    fn choose(&self) -> Result<Arc<Slot<Configured>>> {
        let all = self.components.all();
        let all: Vec<_> = all.iter().map(|slot| (slot, slot.component())).collect();
        let (slot, component) = chosen(&all, |one| one.1.driver().is_marked, |one| one.1.name())?;
        check(component.name(), &*component.driver().driver)?;
        Ok((*slot).clone())
    }
}

/// Checks that a driver can keep the host's records.
pub(super) fn check(name: &ComponentName, driver: &dyn Driver) -> Result<()> {
    let features = driver.features();
    if features.transactions && features.list && features.linearizable {
        return Ok(());
    }
    Err(Error::unsupported(format!(
        "state component `{name}` cannot keep actors and workflows: it needs transactions, list and linearizable"
    )))
}

impl InternalStore {
    /// The internal store over a component; `unsupported` where its driver cannot keep the host's records.
    pub(super) fn of(slot: Arc<Slot<Configured>>) -> Result<Self> {
        let component = slot.component();
        check(component.name(), &*component.driver().driver)?;
        Ok(InternalStore { component: slot })
    }

    /// The component's name in messages.
    pub(super) fn name(&self) -> ComponentName {
        self.component.name()
    }

    /// Returns whether other hosts may use the records.
    pub fn is_shared(&self) -> bool {
        let component = self.component.component();
        component.driver().driver.is_shared()
    }

    /// Bytes of a value.
    pub fn max_value(&self) -> u64 {
        let component = self.component.component();
        let configured = component.driver();
        configured
            .max_value
            .min(configured.driver.features().max_value_bytes)
    }

    /// Operations of one transaction.
    pub fn max_operations(&self) -> usize {
        let component = self.component.component();
        component.driver().driver.features().max_operations as usize
    }

    pub async fn get(&self, caller: &Call, key: impl Into<Key>) -> Result<Option<Entry>> {
        let key = key.into();
        let component = self.component.enter(caller).await?;
        let call = component.call(caller, GET.of_host(), |d| d.driver.get(&key));
        Box::pin(call).await
    }

    /// Does all of the operations in order, or none; returns an etag for each put.
    pub async fn transact(
        &self,
        caller: &Call,
        operations: Vec<Operation>,
    ) -> Result<Vec<Option<Etag>>> {
        let component = self.component.enter(caller).await?;
        let call = component.call(caller, TRANSACT.of_host(), |d| {
            d.driver.transact(operations.clone())
        });
        Box::pin(call).await
    }

    /// Keys after `cursor` that start with `prefix`, in byte order.
    pub async fn list(
        &self,
        caller: &Call,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        self.component
            .enter(caller)
            .await?
            .call(caller, LIST.of_host(), |d| {
                d.driver.list(prefix, cursor, limit)
            })
            .await?
            .checked(cursor)
    }

    /// Deletes an entry, and returns false where the condition does not hold any more.
    pub async fn delete(&self, caller: &Call, delete: Delete) -> Result<bool> {
        let deleted = self
            .component
            .enter(caller)
            .await?
            .call(caller, DELETE.of_host(), |d| {
                d.driver.delete(delete.clone())
            })
            .await;
        match deleted {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == Kind::Conflict => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chooses among components by name, of which those with a `!` are marked.
    fn of(names: &[&str]) -> Result<String> {
        let all: Vec<(ComponentName, bool)> = names
            .iter()
            .map(|name| {
                (
                    name.trim_end_matches('!').parse().unwrap(),
                    name.ends_with('!'),
                )
            })
            .collect();
        let chosen = chosen(&all, |one| one.1, |one| &one.0);
        chosen.map(|one| one.0.to_string())
    }

    #[test]
    fn one_component_keeps() {
        assert_eq!(of(&["a"]).unwrap(), "a");
        assert_eq!(of(&["a", "statestore"]).unwrap(), "statestore");
        assert_eq!(of(&["a!", "statestore"]).unwrap(), "a");
        assert_eq!(of(&["a", "b"]).unwrap_err().kind(), Kind::NotFound);
        assert_eq!(of(&[]).unwrap_err().kind(), Kind::NotFound);
        let several = of(&["a!", "b!", "c"]).unwrap_err();
        assert_eq!(
            several.message(),
            "state components a, b are all marked by `actorStateStore`; expected one"
        );
    }
}
