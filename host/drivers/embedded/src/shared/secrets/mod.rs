//! Secrets: flat names out of a tree.

pub(crate) mod nested;
