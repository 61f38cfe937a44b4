//! What may be written after `wythe lock`.
