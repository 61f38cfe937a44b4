//! The commands: one file and one function each.

pub mod actor;
pub mod bindings;
pub mod build;
pub mod completions;
pub mod configuration;
pub mod crypto;
pub mod dashboard;
pub mod inspect;
pub mod invoke;
pub mod jobs;
pub mod lock;
pub mod logs;
pub mod migrate;
pub mod new;
pub mod publish;
pub mod pubsub;
pub mod run;
pub mod secrets;
pub mod serve;
pub mod state;
pub mod status;
pub mod stop;
pub mod tenants;
pub mod validate;
pub mod wit;
pub mod workflow;
