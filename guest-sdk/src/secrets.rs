//! The secrets block.
