//! Jobs: leases on their rows.

pub(crate) mod leases;
