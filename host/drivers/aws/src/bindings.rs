//! Output and input bindings, one file for each service.

pub(crate) mod s3;
pub(crate) mod sns;
pub(crate) mod sqs;
