//! The only room with wasmtime: guests are compiled, checked against their grants, limited, and called here.

mod bindings;
mod cache;
mod compile;
mod component_file;
mod cpu;
mod ctx;
mod egress;
mod engine;
mod error;
mod export;
mod fields;
mod grants;
mod guest;
mod inspect;
mod instance;
mod limits;
mod log;
pub mod plugin;
mod servers;
mod slots;
mod version;
mod wit;
mod workflow;

pub use compile::{Compiler, Work};
pub use component_file::MAX_COMPONENT;
pub use engine::{Options, Runtime};
pub use guest::{Guest, Loaded};
pub use inspect::{Import, Inspection, Standing};
