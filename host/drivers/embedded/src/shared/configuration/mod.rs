//! Configuration: items, and the version of a store.

pub(crate) mod items;
