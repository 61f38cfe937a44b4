//! Keys in every form, and what is said of those that are none.
