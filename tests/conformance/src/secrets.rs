//! The suite of the secrets block.
