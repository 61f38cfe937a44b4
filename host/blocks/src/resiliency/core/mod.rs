//! The decisions about calls under a policy: no clock, no lock and no call in them.

pub mod breaker;
pub mod budget;
pub mod failure;
pub mod plan;
pub mod schedule;
