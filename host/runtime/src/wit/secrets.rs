//! `wythe:blocks/secrets` for guests.
