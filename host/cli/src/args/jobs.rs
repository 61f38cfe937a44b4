//! What may be written after `wythe jobs`.
