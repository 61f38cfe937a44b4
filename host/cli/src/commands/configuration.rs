//! `wythe configuration`.
