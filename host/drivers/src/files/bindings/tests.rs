//! What may not leave the root.
