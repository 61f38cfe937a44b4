//! The only room with wasmtime: guests are compiled, checked against their grants, limited, and called here.

mod bindings;
mod cache;
mod cpu;
mod ctx;
mod egress;
mod engine;
mod error;
mod export;
mod grants;
mod guest;
mod ingress;
mod inspect;
mod instance;
mod limits;
mod log;
pub mod plugin;
mod wit;

pub use engine::{Options, Runtime};
pub use guest::{Guest, MAX_COMPONENT};
pub use ingress::{Ingress, Routes};
pub use inspect::{DRIVERS, Import, Inspection, Standing};
