//! What may be written after `wythe bindings`.
