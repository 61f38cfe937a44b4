//! Texts as the server takes them: names of streams and consumers, and times.

use chrono::{DateTime, SecondsFormat};
use sha2::{Digest as _, Sha256};

/// A name of the server of a text that may have anything in it.
pub(super) fn name(beginning: &str, text: &str) -> String {
    let mut name = beginning.to_owned();
    for byte in text.bytes() {
        match byte.is_ascii_alphanumeric() || byte == b'-' {
            true => name.push(char::from(byte)),
            false => name.push_str(&format!("_{byte:02X}")),
        }
    }
    if name.len() > 200 {
        let digest = Sha256::digest(text.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        name = format!("{beginning}={hex}");
    }
    name
}

/// The time of seconds since 1970, as the server reads it.
pub(super) fn timestamp(seconds: u64) -> Option<String> {
    let time = DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_server_and_differ() {
        assert_eq!(name("wythe_", "orders.eu"), "wythe_orders_2Eeu");
        assert_ne!(name("", "a b"), name("", "a_20b"));
        let long = name("", &"\u{e9}".repeat(128));
        assert!(long.len() < 100 && long.starts_with('='), "{long}");
    }

    #[test]
    fn a_time_is_written_as_the_server_reads_it() {
        let time = timestamp(1_709_210_096);
        assert_eq!(time.as_deref(), Some("2024-02-29T12:34:56Z"));
        assert_eq!(timestamp(u64::MAX), None);
    }
}
