//! A driver of the jobs block that is a plugin.
