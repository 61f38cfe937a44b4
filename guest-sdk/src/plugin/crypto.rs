//! A keeper of keys as a plugin: its records, its trait, and the macro that exports it.
use super::Plugin;
use crate::{Error, Result};

#[doc(inline)]
pub use crate::contract::app::wythe::blocks::crypto::{SignatureAlgorithm, WrapAlgorithm};
#[doc(inline)]
pub use crate::contract::crypto_driver::exports::wythe::plugin::crypto_driver::KeyInfo;

/// A keeper of keys; `crypto_plugin!` exports it. A key that is not there is `not-found`, one that does not fit the
/// algorithm is `invalid`.
pub trait CryptoDriver: Plugin {
    fn describe(&mut self, key: &str) -> Result<KeyInfo>;

    fn wrap(&mut self, key: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>>;

    /// Unwraps a key: `invalid` with one message for every way to fail, see [`not_unwrapped`].
    fn unwrap(&mut self, key: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>>;

    /// Signs a digest made by the algorithm's own hash; for `Eddsa`, the message itself.
    fn sign(&mut self, key: &str, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>>;

    /// Verifies a signature: false for one that is not the key's, whatever is wrong with it.
    fn verify(
        &mut self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool>;

    /// The names of the keys, in order.
    fn names(&mut self) -> Result<Vec<String>>;
}

/// The one answer to whatever is wrong with a wrapped key.
pub fn not_unwrapped() -> Error {
    Error::invalid("the wrapped key cannot be unwrapped with this key")
}

/// Exports the world `crypto-plugin` for a type that implements [`CryptoDriver`].
#[macro_export]
macro_rules! crypto_plugin {
    ($driver:ident) => {
        const _: () = {
            use $crate::plugin::{ContractError, crypto};
            use ::std::{result::Result, string::String, vec::Vec};

            $crate::__lifecycle!($driver);

            impl $crate::contract::crypto_driver::exports::wythe::plugin::crypto_driver::Guest for $driver {
                fn describe(key: String) -> Result<crypto::KeyInfo, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| crypto::CryptoDriver::describe(driver, &key)))
                }
                fn wrap(key: String, algorithm: crypto::WrapAlgorithm, plain: Vec<u8>) -> Result<Vec<u8>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| crypto::CryptoDriver::wrap(driver, &key, algorithm, &plain)))
                }
                fn unwrap(key: String, algorithm: crypto::WrapAlgorithm, wrapped: Vec<u8>) -> Result<Vec<u8>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| crypto::CryptoDriver::unwrap(driver, &key, algorithm, &wrapped)))
                }
                fn sign(key: String, algorithm: crypto::SignatureAlgorithm, digest: Vec<u8>) -> Result<Vec<u8>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| crypto::CryptoDriver::sign(driver, &key, algorithm, &digest)))
                }
                fn verify(key: String, algorithm: crypto::SignatureAlgorithm, digest: Vec<u8>, signature: Vec<u8>) -> Result<bool, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| crypto::CryptoDriver::verify(driver, &key, algorithm, &digest, &signature)))
                }
                fn names() -> Result<Vec<String>, ContractError> {
                    DRIVER.with(|slot| slot.with(|driver| crypto::CryptoDriver::names(driver)))
                }
            }
            $crate::contract::crypto_driver::export_crypto_driver!($driver with_types_in $crate::contract::crypto_driver);
        };
    };
}
