//! A driver of the bindings block that is a plugin.
