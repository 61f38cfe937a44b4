//! `wythe secrets`.
