//! The suite of the lock block.
