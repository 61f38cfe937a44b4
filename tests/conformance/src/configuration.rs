//! The suite of the configuration block.
