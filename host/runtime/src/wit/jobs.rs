//! `wythe:blocks/jobs` for guests.
