//! A driver of the lock block that is a plugin.
