//! `wythe bindings`.
