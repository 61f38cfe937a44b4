//! Names of topics and groups in the cluster.

use wythe_blocks::{Error, Result};

/// Bytes of the name of a topic, which is the name of a directory of the broker, and of a group.
pub(crate) const LONGEST: usize = 249;

/// A character that names of topics may have.
pub(crate) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// A topic's name in the cluster.
pub(crate) fn topic(prefix: &str, topic: &str) -> Result<String> {
    let name = format!("{prefix}{topic}");
    let is_good = name.chars().all(is_plain) && !matches!(name.as_str(), "." | "..");
    match is_good && (1..=LONGEST).contains(&name.len()) && !topic.is_empty() {
        true => Ok(name),
        false => Err(Error::invalid(format!(
            "the topic `{}`: expected letters, digits, `.`, `_` and `-`, {LONGEST} at most; use another name",
            topic.escape_debug()
        ))),
    }
}
