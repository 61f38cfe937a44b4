//! What may be written after `wythe configuration`.
