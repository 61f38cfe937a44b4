//! A secret store as a plugin: its records, its trait, and the macro that exports it.
use super::{Metadata, Plugin};
use crate::{Error, Result};

#[doc(inline)]
pub use crate::contract::secrets_driver::exports::wythe::plugin::secrets_driver::{
    Features, Found,
};

/// A secret store; `secrets_plugin!` exports it. No error of it may hold a value or a part of one.
pub trait SecretsDriver: Plugin {
    fn describe(&self) -> Features;

    /// Reads a secret; none where there is no such secret. The metadata is the caller's, such as a version to read.
    fn get(&mut self, name: &str, metadata: Metadata) -> Result<Option<Found>>;

    /// The names of all secrets, in order.
    fn names(&mut self) -> Result<Vec<String>> {
        Err(Error::unsupported("this driver tells no names"))
    }
}

/// Exports the world `secrets-plugin` for a type that implements [`SecretsDriver`].
#[macro_export]
macro_rules! secrets_plugin {
    ($driver:ident) => {
        const _: () = {
            use $crate::plugin::{ContractError, secrets};
            use ::std::{option::Option, result::Result, string::String, vec::Vec};

            $crate::__lifecycle!($driver);

            impl $crate::contract::secrets_driver::exports::wythe::plugin::secrets_driver::Guest for $driver {
                fn describe() -> secrets::Features {
                    DRIVER.with(|slot| slot.surely(|driver| secrets::SecretsDriver::describe(driver)))
                }
                fn get(name: String, metadata: Vec<(String, String)>) -> Result<Option<secrets::Found>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| secrets::SecretsDriver::get(driver, &name, metadata.into())))
                }
                fn names() -> Result<Vec<String>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| secrets::SecretsDriver::names(driver)))
                }
            }
            $crate::contract::secrets_driver::export_secrets_driver!($driver with_types_in $crate::contract::secrets_driver);
        };
    };
}
