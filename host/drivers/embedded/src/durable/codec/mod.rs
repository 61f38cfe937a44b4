//! Forms on disk, one for each kind of thing that is stored.

pub(crate) mod entry;
pub(crate) mod job;
pub(crate) mod message;
