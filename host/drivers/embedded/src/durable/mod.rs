//! The engine below every durable store of this crate: group commit, files, and forms on disk.

pub(crate) mod codec;
pub(crate) mod committer;
pub(crate) mod disk;
pub(crate) mod handle;
pub(crate) mod state;
