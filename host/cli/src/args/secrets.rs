//! What may be written after `wythe secrets`.
