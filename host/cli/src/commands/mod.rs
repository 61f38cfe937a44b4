//! The commands: one file and one function each.

pub mod build;
pub mod completions;
pub mod inspect;
pub mod invoke;
pub mod new;
pub mod publish;
pub mod run;
pub mod state;
pub mod validate;
pub mod wit;
