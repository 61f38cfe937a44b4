//! The configuration block.
