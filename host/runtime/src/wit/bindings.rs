//! `wythe:blocks/bindings` for guests.
