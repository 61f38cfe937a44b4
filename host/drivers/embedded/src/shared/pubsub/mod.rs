//! Pub/sub over queues in memory: topics, their consumer groups, and the members of these.

pub(crate) mod member;
pub(crate) mod operator;
pub(crate) mod queue;
pub(crate) mod topics;
