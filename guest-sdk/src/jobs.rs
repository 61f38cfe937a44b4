//! The jobs block.
