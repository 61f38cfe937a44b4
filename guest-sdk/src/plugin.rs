//! Drivers as plugins: implement a driver's trait and export it, and the host serves it to apps as a component.
use std::cell::RefCell;

use crate::{Error, Result};

pub mod bindings;
pub mod configuration;
pub mod crypto;
pub mod jobs;
pub mod lock;
pub mod secrets;

/// An error as it crosses the border of a plugin.
#[doc(hidden)]
pub use crate::contract::app::wythe::blocks::types::Error as ContractError;

/// The records that a state driver speaks: those of the block, with times in milliseconds.
pub mod state {
    #[doc(inline)]
    pub use crate::contract::app::wythe::blocks::state::{
        Condition, Delete, Entry, Features, Operation, Page, Put, PutOptions,
    };
}

/// The records that a pub/sub driver speaks, with times in milliseconds.
pub mod pubsub {
    #[doc(inline)]
    pub use crate::contract::app::wythe::blocks::pubsub::Features;
    #[doc(inline)]
    pub use crate::contract::pubsub_driver::exports::wythe::plugin::pubsub_driver::{
        Delivery, Message,
    };
}

/// A component's metadata. Names are found in any case.
///
/// ```
/// let metadata = wythe_sdk::plugin::Metadata::from(vec![("maxEntries".to_owned(), "10".to_owned())]);
/// assert_eq!(metadata.get("maxentries"), Some("10"));
/// assert_eq!(metadata.number("maxEntries", 500u32).unwrap(), 10);
/// assert_eq!(metadata.number("missing", 500u32).unwrap(), 500);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    pairs: Vec<(String, String)>,
}

impl Metadata {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|pair| pair.0.eq_ignore_ascii_case(name))
            .map(|pair| pair.1.as_str())
    }

    /// A number, or `default` where there is no such name; `invalid` where the value is no number.
    pub fn number<N: std::str::FromStr>(&self, name: &str, default: N) -> Result<N> {
        let Some(value) = self.get(name) else {
            return Ok(default);
        };
        let wrong = |_| Error::invalid(format!("metadata `{name}` is a number, not `{value}`"));
        value.trim().parse().map_err(wrong)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|pair| pair.0.as_str())
    }

    /// Refuses, as `invalid`, the first name that is none of these: a misspelt name is no default.
    pub fn only(&self, known: &[&str]) -> Result<()> {
        let unknown = |name: &&str| !known.iter().any(|known| known.eq_ignore_ascii_case(name));
        match self.names().find(unknown) {
            Some(name) => Err(Error::invalid(format!(
                "metadata `{name}` is not known; known are: {}",
                known.join(", ")
            ))),
            None => Ok(()),
        }
    }
}

impl From<Vec<(String, String)>> for Metadata {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self { pairs }
    }
}

/// A trait that every plugin implements. One value serves one component, for as long as its instance lives.
pub trait Plugin: Sized + 'static {
    /// An error keeps the component out of service.
    fn init(component: &str, metadata: Metadata) -> Result<Self>;

    /// A cheap question, asked before the component is called healthy, and after faults.
    fn ping(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A state driver; `state_plugin!` exports it. Keys arrive scoped and are opaque: store them byte for byte.
pub trait StateDriver: Plugin {
    fn describe(&self) -> state::Features;
    fn get(&mut self, key: &str) -> Result<Option<state::Entry>>;
    /// Returns the new etag.
    fn put(&mut self, key: String, value: Vec<u8>, options: state::PutOptions) -> Result<String>;
    fn delete(&mut self, key: &str, condition: state::Condition) -> Result<()>;

    /// Does all of the operations in order, or none. The result has an etag for each put.
    fn transact(&mut self, operations: Vec<state::Operation>) -> Result<Vec<Option<String>>> {
        let _ = operations;
        Err(Error::unsupported("this driver has no transactions"))
    }

    fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<state::Page> {
        let _ = (prefix, cursor, limit);
        Err(Error::unsupported("this driver cannot list"))
    }
}

/// A pub/sub driver; `pubsub_plugin!` exports it. The host pulls.
pub trait PubsubDriver: Plugin {
    fn describe(&self) -> crate::pubsub::Features;
    /// Returns once the message is as durable as the features promise.
    fn publish(&mut self, topic: &str, message: pubsub::Message) -> Result<()>;
    /// A group gets every message published after its first subscription, once per group.
    fn subscribe(&mut self, topic: &str, group: &str, metadata: Metadata) -> Result<u64>;
    /// Takes up to `max` messages, at once: none when there is none now.
    fn pull(&mut self, subscription: u64, max: u32) -> Result<Vec<pubsub::Delivery>>;
    fn ack(&mut self, subscription: u64, receipt: &[u8]) -> Result<()>;
    /// Delivers again after this many milliseconds.
    fn nack(&mut self, subscription: u64, receipt: &[u8], delay: u64) -> Result<()>;
    fn unsubscribe(&mut self, subscription: u64);
}

/// The place in which an exported driver lives between calls.
#[derive(Debug)]
pub struct Slot<D> {
    driver: RefCell<Option<D>>,
}

impl<D: Plugin> Slot<D> {
    pub const fn new() -> Self {
        Self {
            driver: RefCell::new(None),
        }
    }

    pub fn init(&self, component: &str, metadata: Vec<(String, String)>) -> Result<()> {
        *self.driver.borrow_mut() = Some(D::init(component, metadata.into())?);
        Ok(())
    }

    /// The driver, for one call. The component model lets no second call in before the first is done.
    pub fn with<T>(&self, call: impl FnOnce(&mut D) -> Result<T>) -> Result<T, ContractError> {
        match self.driver.borrow_mut().as_mut() {
            Some(driver) => Ok(call(driver)?),
            None => Err(Error::internal("the plugin was called before its init").into()),
        }
    }

    /// Does what `with` does, for the functions of the contract that cannot fail.
    pub fn surely<T>(&self, call: impl FnOnce(&mut D) -> T) -> T {
        call(
            self.driver
                .borrow_mut()
                .as_mut()
                .expect("the host calls init before anything else"),
        )
    }
}

impl<D: Plugin> Default for Slot<D> {
    fn default() -> Self {
        Self::new()
    }
}

/// Exports `wythe:plugin/lifecycle` for a plugin; the two macros below do so too.
#[doc(hidden)]
#[macro_export]
macro_rules! __lifecycle {
    ($driver:ident) => {
        ::std::thread_local! {
            static DRIVER: $crate::plugin::Slot<$driver> = const { $crate::plugin::Slot::new() };
        }

        impl $crate::contract::lifecycle::exports::wythe::plugin::lifecycle::Guest for $driver {
            fn init(
                component: ::std::string::String,
                metadata: ::std::vec::Vec<(::std::string::String, ::std::string::String)>,
            ) -> ::std::result::Result<(), $crate::plugin::ContractError> {
                DRIVER.with(|slot| slot.init(&component, metadata))?;
                Ok(())
            }

            fn ping() -> ::std::result::Result<(), $crate::plugin::ContractError> {
                DRIVER.with(|slot| slot.with(|driver| $crate::plugin::Plugin::ping(driver)))
            }
        }
        $crate::contract::lifecycle::export_lifecycle!($driver with_types_in $crate::contract::lifecycle);
    };
}

/// Exports the world `state-plugin` for a type that implements [`StateDriver`].
#[macro_export]
macro_rules! state_plugin {
    ($driver:ident) => {
        const _: () = {
            use $crate::plugin::{ContractError, StateDriver, state};
            use ::std::{option::Option, result::Result, string::String, vec::Vec};

            $crate::__lifecycle!($driver);

            impl $crate::contract::state_driver::exports::wythe::plugin::state_driver::Guest for $driver {
                fn describe() -> state::Features {
                    DRIVER.with(|slot| slot.surely(|driver| StateDriver::describe(driver)))
                }
                fn get(key: String) -> Result<Option<state::Entry>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.get(&key)))
                }
                fn put(key: String, value: Vec<u8>, options: state::PutOptions) -> Result<String, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.put(key, value, options)))
                }
                fn delete(key: String, condition: state::Condition) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.delete(&key, condition)))
                }
                fn transact(operations: Vec<state::Operation>) -> Result<Vec<Option<String>>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.transact(operations)))
                }
                fn list(prefix: String, cursor: Option<String>, limit: u32) -> Result<state::Page, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.list(&prefix, cursor.as_deref(), limit)))
                }
            }
            $crate::contract::state_driver::export_state_driver!($driver with_types_in $crate::contract::state_driver);
        };
    };
}

/// Exports the world `pubsub-plugin` for a type that implements [`PubsubDriver`].
#[macro_export]
macro_rules! pubsub_plugin {
    ($driver:ident) => {
        const _: () = {
            use $crate::plugin::{ContractError, PubsubDriver, pubsub};
            use ::std::{result::Result, string::String, vec::Vec};

            $crate::__lifecycle!($driver);

            impl $crate::contract::pubsub_driver::exports::wythe::plugin::pubsub_driver::Guest for $driver {
                fn describe() -> pubsub::Features {
                    DRIVER.with(|slot| slot.surely(|driver| PubsubDriver::describe(driver)))
                }
                fn publish(topic: String, message: pubsub::Message) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.publish(&topic, message)))
                }
                fn subscribe(topic: String, group: String, metadata: Vec<(String, String)>) -> Result<u64, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.subscribe(&topic, &group, metadata.into())))
                }
                fn pull(subscription: u64, max: u32) -> Result<Vec<pubsub::Delivery>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.pull(subscription, max)))
                }
                fn ack(subscription: u64, receipts: Vec<Vec<u8>>) -> Vec<Result<(), ContractError>> {
                    let ack = |receipt: Vec<u8>| DRIVER.with(|slot| slot.with(|driver| driver.ack(subscription, &receipt)));
                    receipts.into_iter().map(ack).collect()
                }
                fn nack(subscription: u64, receipt: Vec<u8>, delay: u64) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| driver.nack(subscription, &receipt, delay)))
                }
                fn unsubscribe(subscription: u64) {
                    DRIVER.with(|slot| slot.surely(|driver| driver.unsubscribe(subscription)))
                }
            }
            $crate::contract::pubsub_driver::export_pubsub_driver!($driver with_types_in $crate::contract::pubsub_driver);
        };
    };
}
