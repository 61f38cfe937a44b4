//! The suite of the jobs block.
