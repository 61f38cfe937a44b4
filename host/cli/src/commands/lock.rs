//! `wythe lock`.
