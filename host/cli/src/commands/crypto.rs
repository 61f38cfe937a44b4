//! `wythe crypto`.
