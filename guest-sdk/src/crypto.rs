//! The crypto block.
