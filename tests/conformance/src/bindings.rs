//! The suite of the bindings block.
