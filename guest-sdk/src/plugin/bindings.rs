//! Outside systems as plugins: one that apps call, one that calls apps, or both in one component.
use super::{Metadata, Plugin};
use crate::Result;

#[doc(inline)]
pub use crate::contract::app::wythe::blocks::bindings::Outcome;
#[doc(inline)]
pub use crate::contract::input_binding_driver::exports::wythe::plugin::input_binding_driver::{
    Answer, Delivery,
};

/// An outside system that apps call; `output_binding_plugin!` exports it.
pub trait OutputBindingDriver: Plugin {
    /// The operations that `invoke` may be asked, in alphabetic order.
    fn operations(&self) -> Vec<String>;

    /// Returns whether secrets may be among the metadata: only if none of them comes back, in an answer, an error or a
    /// delivery. Default no, and then it is given none.
    fn takes_secrets(&self) -> bool {
        false
    }

    /// One of the operations.
    fn invoke(&mut self, operation: &str, data: Vec<u8>, metadata: Metadata) -> Result<Outcome>;
}

/// An outside system that calls apps; `input_binding_plugin!` exports it. The host pulls.
pub trait InputBindingDriver: Plugin {
    /// Returns whether what was not acknowledged is delivered again.
    fn redelivers(&self) -> bool;

    /// Takes up to `max` deliveries, at once: none when there is none now.
    fn pull(&mut self, max: u32) -> Result<Vec<Delivery>>;

    /// Takes the app's answer to a delivery.
    fn settle(&mut self, receipt: &[u8], answer: Answer) -> Result<()>;
}

/// Exports the world `output-binding-plugin` for a type that implements [`OutputBindingDriver`].
#[macro_export]
macro_rules! output_binding_plugin {
    ($driver:ident) => {
        const _: () = {
            $crate::__lifecycle!($driver);
            $crate::__output_binding!($driver);
        };
    };
}

/// Exports the world `input-binding-plugin` for a type that implements [`InputBindingDriver`].
#[macro_export]
macro_rules! input_binding_plugin {
    ($driver:ident) => {
        const _: () = {
            $crate::__lifecycle!($driver);
            $crate::__input_binding!($driver);
        };
    };
}

/// Exports both worlds for a type that implements both drivers.
#[macro_export]
macro_rules! binding_plugin {
    ($driver:ident) => {
        const _: () = {
            $crate::__lifecycle!($driver);
            $crate::__output_binding!($driver);
            $crate::__input_binding!($driver);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __output_binding {
    ($driver:ident) => {
        impl $crate::contract::output_binding_driver::exports::wythe::plugin::output_binding_driver::Guest for $driver {
            fn operations() -> ::std::vec::Vec<::std::string::String> {
                DRIVER.with(|slot| slot.surely(|driver| $crate::plugin::bindings::OutputBindingDriver::operations(driver)))
            }
            fn takes_secrets() -> bool {
                DRIVER.with(|slot| slot.surely(|driver| $crate::plugin::bindings::OutputBindingDriver::takes_secrets(driver)))
            }
            fn invoke(
                operation: ::std::string::String,
                data: ::std::vec::Vec<u8>,
                metadata: ::std::vec::Vec<(::std::string::String, ::std::string::String)>,
            ) -> ::std::result::Result<$crate::plugin::bindings::Outcome, $crate::plugin::ContractError> {
                DRIVER.with(|slot| slot.with(|driver| {
                    $crate::plugin::bindings::OutputBindingDriver::invoke(driver, &operation, data, metadata.into())
                }))
            }
        }
        $crate::contract::output_binding_driver::export_output_binding_driver!($driver with_types_in $crate::contract::output_binding_driver);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __input_binding {
    ($driver:ident) => {
        impl $crate::contract::input_binding_driver::exports::wythe::plugin::input_binding_driver::Guest for $driver {
            fn redelivers() -> bool {
                DRIVER.with(|slot| slot.surely(|driver| $crate::plugin::bindings::InputBindingDriver::redelivers(driver)))
            }
            fn pull(
                max: u32,
            ) -> ::std::result::Result<::std::vec::Vec<$crate::plugin::bindings::Delivery>, $crate::plugin::ContractError> {
                DRIVER.with(|slot| slot.with(|driver| $crate::plugin::bindings::InputBindingDriver::pull(driver, max)))
            }
            fn settle(
                receipt: ::std::vec::Vec<u8>,
                answer: $crate::plugin::bindings::Answer,
            ) -> ::std::result::Result<(), $crate::plugin::ContractError> {
                DRIVER.with(|slot| slot.with(|driver| {
                    $crate::plugin::bindings::InputBindingDriver::settle(driver, &receipt, answer)
                }))
            }
        }
        $crate::contract::input_binding_driver::export_input_binding_driver!($driver with_types_in $crate::contract::input_binding_driver);
    };
}
