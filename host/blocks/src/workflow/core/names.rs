//! The rules of good names: of instances, events, activities and changes.

use crate::{Error, Result};

/// Bytes of an instance's id.
pub const MAX_ID: usize = 200;

pub(in crate::workflow) fn check_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if id.is_empty() || id.len() > MAX_ID || !id.chars().all(plain) {
        return Err(Error::invalid(format!(
            "the instance id `{}`; expected 1 to {MAX_ID} letters, digits, `-`, `_`, `.` and `:`",
            shown(id)
        )));
    }
    Ok(())
}

/// Names of events, activities, changes: what a person can read in a line.
pub(in crate::workflow) fn check_name(what: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if name.is_empty() || name.len() > MAX_ID || !name.chars().all(plain) {
        return Err(Error::invalid(format!(
            "the name of {what} `{}`; expected 1 to {MAX_ID} letters, digits, `-`, `_`, `.`, `:` and `/`",
            shown(name)
        )));
    }
    Ok(())
}

/// The text that somebody wrote, cut and escaped for a message.
pub(in crate::workflow) fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_no_separator() {
        assert!(check_id("order-7:1").is_ok());
        for bad in ["", "a||b", "a b", "ä", &"x".repeat(MAX_ID + 1)] {
            assert!(check_id(bad).is_err(), "{bad}");
        }
    }
}
