//! The decisions of actors: what a turn stages, what its commit is, and who may wait for whom. Nothing here reads a store,
//! starts a task, or asks for a time that it was not given.

pub(in crate::actors) mod commit;
pub(in crate::actors) mod graph;
pub(in crate::actors) mod names;
pub(in crate::actors) mod record;
pub(in crate::actors) mod staged;
