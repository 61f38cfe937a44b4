//! Configuration items: read them, ask whether they have changed, or hear of changes as a `Listener`.
use crate::Result;
use crate::contract::app::wythe::blocks::configuration;
use crate::contract::configured::exports::wythe::blocks::configuration_listener;

#[doc(inline)]
pub use configuration::{Item, Snapshot};
#[doc(inline)]
pub use configuration_listener::{Change, Subscription};

/// The items with these keys, absent ones left out; all items where no key is given. At most 1,000 keys, each of at most
/// 1,024 bytes.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::configuration;
///
/// let snapshot = configuration::get("settings", &["colour", "limit"])?;
/// let limit = snapshot.value("limit").unwrap_or("10");
/// // Later, by the version that was kept somewhere:
/// if let Some(newer) = configuration::changed("settings", &["colour", "limit"], &snapshot.version)? {
///     wythe_sdk::info!("{} items", newer.items.len());
/// }
/// # Ok(())
/// # }
/// ```
pub fn get(component: &str, keys: &[&str]) -> Result<Snapshot> {
    Ok(configuration::get(component, &owned(keys))?)
}

/// Does what [`get`] does, or returns none if nothing of it has changed since `version`.
pub fn changed(component: &str, keys: &[&str], version: &str) -> Result<Option<Snapshot>> {
    let changed = configuration::changed(component, &owned(keys), version)?;
    Ok(changed)
}

/// The value of one item; none where there is no such item.
pub fn value(component: &str, key: &str) -> Result<Option<String>> {
    let found = get(component, &[key])?.items.into_iter().next();
    Ok(found.map(|item| item.value))
}

/// Asks that changes reach this app's [`Listener`] from now on, until the host stops or `unsubscribe`. Returns the
/// subscription's id: the same one for the same component and keys.
pub fn subscribe(component: &str, keys: &[&str]) -> Result<String> {
    Ok(configuration::subscribe(component, &owned(keys))?)
}

/// Ends a subscription; `not-found` for an id that is not this app's, or is over.
pub fn unsubscribe(component: &str, id: &str) -> Result<()> {
    Ok(configuration::unsubscribe(component, id)?)
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

impl Snapshot {
    /// The value of an item of it.
    pub fn value(&self, key: &str) -> Option<&str> {
        let item = self.items.iter().find(|item| item.key == key)?;
        Some(&item.value)
    }
}

impl Subscription {
    /// All items of a component.
    pub fn to(component: &str) -> Self {
        Self::to_keys(component, &[])
    }

    /// The items with these keys.
    pub fn to_keys(component: &str, keys: &[&str]) -> Self {
        Self {
            component: component.to_owned(),
            keys: owned(keys),
        }
    }
}

/// A trait that an app implements to hear of changes; `configured!` exports it.
pub trait Listener {
    /// The subscriptions, asked for once when the app is loaded; they need no `subscribe`.
    fn subscriptions() -> Vec<Subscription>;
    /// Takes a change, at least once for each last state of an item. An error or a panic is tried again, up to 10
    /// times, after 1 s, doubling to 60 s.
    fn on_change(change: Change) -> Result<()>;
}

/// Exports `wythe:blocks/configuration-listener` for a type that implements [`configuration::Listener`](Listener).
#[macro_export]
macro_rules! configured {
    ($app:ident) => {
        impl $crate::contract::configured::exports::wythe::blocks::configuration_listener::Guest for $app {
            fn subscriptions() -> ::std::vec::Vec<$crate::configuration::Subscription> {
                <$app as $crate::configuration::Listener>::subscriptions()
            }

            fn on_change(change: $crate::configuration::Change) -> ::std::result::Result<(), ::std::string::String> {
                <$app as $crate::configuration::Listener>::on_change(change)
                    .map_err(|error| ::std::string::ToString::to_string(&error))
            }
        }
        $crate::contract::configured::export_configuration_listener!($app with_types_in $crate::contract::configured);
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_finds_its_items() {
        let item = |key: &str, value: &str| Item {
            key: key.to_owned(),
            value: value.to_owned(),
            version: "1".to_owned(),
            metadata: Vec::new(),
        };
        let snapshot = Snapshot {
            items: vec![item("a", "1"), item("b", "")],
            version: "7".to_owned(),
        };
        let values = ["a", "b", "c"].map(|key| snapshot.value(key));
        assert_eq!(values, [Some("1"), Some(""), None]);
    }
}
