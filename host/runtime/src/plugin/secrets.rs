//! A driver of the secrets block that is a plugin.
