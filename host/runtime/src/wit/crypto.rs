//! `wythe:blocks/crypto` for guests.
