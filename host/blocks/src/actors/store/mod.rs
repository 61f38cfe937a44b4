//! The rows of actors in a store: their keys, and the transaction that a commit becomes.

pub(in crate::actors) mod commit;
pub(in crate::actors) mod rows;
