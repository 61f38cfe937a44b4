//! The suite of the crypto block.
