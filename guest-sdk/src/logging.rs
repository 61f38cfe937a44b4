//! Structured log records: a function that takes all of the contract, and a macro for each level.
use crate::contract::app::wythe::blocks::logging;

#[doc(inline)]
pub use logging::Level;

/// Writes one record. The host adds the app's id and the current trace.
///
/// ```no_run
/// use wythe_sdk::logging::{self, Level};
///
/// logging::log(Level::Info, "order placed", &[("order", "17"), ("total", "12.50")]);
/// ```
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let fields: Vec<_> = fields.iter().map(owned).collect();
    logging::log(level, message, &fields);
}

/// Logs a formatted message at level `trace`.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::logging::log($crate::logging::Level::Trace, &::std::format!($($message)+), &[]) };
}

/// Logs a formatted message at level `debug`.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::logging::log($crate::logging::Level::Debug, &::std::format!($($message)+), &[]) };
}

/// Logs a formatted message at level `info`.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::logging::log($crate::logging::Level::Info, &::std::format!($($message)+), &[]) };
}

/// Logs a formatted message at level `warn`.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::logging::log($crate::logging::Level::Warn, &::std::format!($($message)+), &[]) };
}

/// Logs a formatted message at level `error`.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::logging::log($crate::logging::Level::Error, &::std::format!($($message)+), &[]) };
}
