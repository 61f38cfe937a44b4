//! State: records, and the meaning of a write, over any table.

pub(crate) mod apply;
pub(crate) mod counted;
pub(crate) mod etag;
pub(crate) mod page;
pub(crate) mod record;
