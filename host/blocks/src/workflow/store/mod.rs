//! The rows of workflows in a store: their keys, and the transactions that decisions become.

pub(in crate::workflow) mod commit;
pub(in crate::workflow) mod keys;
pub(in crate::workflow) mod rows;
