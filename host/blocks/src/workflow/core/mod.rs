//! The decisions of workflows: the inputs of an instance become entries of its journal, and entries become rows and
//! effects. Nothing here reads a store, starts a task, or asks for a time that it was not given.

pub(in crate::workflow) mod attempt;
pub(in crate::workflow) mod birth;
pub(in crate::workflow) mod context;
pub(in crate::workflow) mod entry;
pub(in crate::workflow) mod item;
pub(in crate::workflow) mod machine;
pub(in crate::workflow) mod meta;
pub(in crate::workflow) mod names;
pub(in crate::workflow) mod peers;
pub(in crate::workflow) mod replay;
pub(in crate::workflow) mod row;
pub(in crate::workflow) mod task_table;

use super::Timestamp;
use std::sync::Arc;

/// The wall clock that an engine gives.
pub(in crate::workflow) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;
