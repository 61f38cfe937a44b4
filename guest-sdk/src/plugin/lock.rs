//! A lock service as a plugin: its records, its trait, and the macro that exports it.
use super::Plugin;
use crate::Result;

#[doc(inline)]
pub use crate::contract::lock_driver::exports::wythe::plugin::lock_driver::{
    Acquired, Features, Grant,
};

/// A lock service; `lock_plugin!` exports it. Keys arrive scoped and are opaque, times are in milliseconds, and a grant
/// whose time is over is no grant.
pub trait LockDriver: Plugin {
    fn describe(&self) -> Features;

    /// Answers at once: waiting is the host's part. The token grows with every grant of the key, for ever.
    fn acquire(&mut self, key: &str, owner: &str, ttl: u64) -> Result<Acquired>;

    /// Returns when the grant ends now; `conflict` unless the token's grant is still alive.
    fn renew(&mut self, key: &str, token: u64, ttl: u64) -> Result<u64>;

    /// Releases a lock; `conflict` unless the token's grant is still alive.
    fn release(&mut self, key: &str, token: u64) -> Result<()>;

    /// The grant that is alive, if there is one.
    fn holder(&mut self, key: &str) -> Result<Option<Grant>>;
}

/// Exports the world `lock-plugin` for a type that implements [`LockDriver`].
#[macro_export]
macro_rules! lock_plugin {
    ($driver:ident) => {
        const _: () = {
            use $crate::plugin::{ContractError, lock};
            use ::std::{option::Option, result::Result, string::String};

            $crate::__lifecycle!($driver);

            impl $crate::contract::lock_driver::exports::wythe::plugin::lock_driver::Guest for $driver {
                fn describe() -> lock::Features {
                    DRIVER.with(|slot| slot.surely(|driver| lock::LockDriver::describe(driver)))
                }
                fn acquire(key: String, owner: String, ttl: u64) -> Result<lock::Acquired, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| lock::LockDriver::acquire(driver, &key, &owner, ttl)))
                }
                fn renew(key: String, token: u64, ttl: u64) -> Result<u64, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| lock::LockDriver::renew(driver, &key, token, ttl)))
                }
                fn release(key: String, token: u64) -> Result<(), ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| lock::LockDriver::release(driver, &key, token)))
                }
                fn holder(key: String) -> Result<Option<lock::Grant>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| lock::LockDriver::holder(driver, &key)))
                }
            }
            $crate::contract::lock_driver::export_lock_driver!($driver with_types_in $crate::contract::lock_driver);
        };
    };
}
