//! What may be written after `wythe crypto`.
