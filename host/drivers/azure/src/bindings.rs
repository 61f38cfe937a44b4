//! Output and input bindings, one file for each service.

pub(crate) mod blobs;
pub(crate) mod queues;
