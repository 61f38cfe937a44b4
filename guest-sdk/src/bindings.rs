//! The bindings block.
