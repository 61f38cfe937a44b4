//! A driver of the crypto block that is a plugin.
