//! A driver of the configuration block that is a plugin.
