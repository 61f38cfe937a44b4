//! A configuration store as a plugin: its records, its trait, and the macro that exports it.
use super::Plugin;
use crate::{Error, Result};

#[doc(inline)]
pub use crate::contract::app::wythe::blocks::configuration::Item;
#[doc(inline)]
pub use crate::contract::configuration_driver::exports::wythe::plugin::configuration_driver::{
    Features, NewItem,
};

/// A configuration store; `configuration_plugin!` exports it. The host asks for `version` once a second while somebody
/// listens.
pub trait ConfigurationDriver: Plugin {
    fn describe(&self) -> Features;

    /// The items with these keys, absent ones left out; all of them where no key is given. In the order of keys.
    fn get(&mut self, keys: &[String]) -> Result<Vec<Item>>;

    /// An opaque version of the whole store; another one after every change of an item.
    fn version(&mut self) -> Result<String>;

    /// Writes all of the items, or none.
    fn set(&mut self, items: Vec<NewItem>) -> Result<()> {
        let _ = items;
        Err(Error::unsupported("this driver does not write"))
    }

    /// Deletes all of the items, or none; deleting what is absent is ok.
    fn delete(&mut self, keys: &[String]) -> Result<()> {
        let _ = keys;
        Err(Error::unsupported("this driver does not write"))
    }
}

/// Exports the world `configuration-plugin` for a type that implements [`ConfigurationDriver`].
#[macro_export]
macro_rules! configuration_plugin {
    ($driver:ident) => {
        const _: () = {
            use $crate::plugin::{ContractError, configuration::{self, ConfigurationDriver}};
            use ::std::{result::Result, string::String, vec::Vec};

            $crate::__lifecycle!($driver);

            impl $crate::contract::configuration_driver::exports::wythe::plugin::configuration_driver::Guest for $driver {
                fn describe() -> configuration::Features {
                    DRIVER.with(|slot| slot.surely(|driver| ConfigurationDriver::describe(driver)))
                }
                fn get(keys: Vec<String>) -> Result<Vec<configuration::Item>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| ConfigurationDriver::get(driver, &keys)))
                }
                fn version() -> Result<String, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| ConfigurationDriver::version(driver)))
                }
                fn set(items: Vec<configuration::NewItem>) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| ConfigurationDriver::set(driver, items)))
                }
                fn delete(keys: Vec<String>) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| ConfigurationDriver::delete(driver, &keys)))
                }
            }
            $crate::contract::configuration_driver::export_configuration_driver!($driver with_types_in $crate::contract::configuration_driver);
        };
    };
}
