//! The lock block.
