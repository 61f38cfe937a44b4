//! `wythe:blocks/lock` for guests.
