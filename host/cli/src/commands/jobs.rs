//! `wythe jobs`.
