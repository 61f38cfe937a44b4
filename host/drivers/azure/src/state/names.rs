//! The name of the blob that has an entry: the key, but for keys that the service would take for another one or not at all.

use crate::container::MAX_NAME;
use sha2::{Digest as _, Sha256};
use wythe_blocks::text::hex;

/// The beginnings of names that are not their keys: an odd key that is written out, and a long one that is hashed. No other
/// name begins with `=`.
const WRITTEN: &str = "=e";
const HASHED: &str = "=h";
/// Parts of a name between slashes, which the service counts.
const MAX_PARTS: usize = 254;

/// The blob's name. Two keys never have one together.
pub(super) fn name(key: &str) -> String {
    let name = match is_odd(key) {
        true => format!("{WRITTEN}{}", written(key)),
        false => key.to_owned(),
    };
    match name.len() <= MAX_NAME {
        true => name,
        false => format!("{HASHED}{}", hex(Sha256::digest(key))),
    }
}

fn is_odd(key: &str) -> bool {
    key.is_empty()
        || key.starts_with('=')
        || key.ends_with(['.', ' '])
        || key.contains(|c: char| c.is_control() || c == '\\')
        || key.chars().any(is_none)
        || key.split('/').any(|part| ["", ".", ".."].contains(&part))
        || key.split('/').count() > MAX_PARTS
}

/// Code points that are no characters, which XML of a list cannot have.
fn is_none(c: char) -> bool {
    u32::from(c) & 0xfffe == 0xfffe
}

/// The key with all but letters, digits, `-`, `_` and `|` as `=` and two digits for each byte.
fn written(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        let c = char::from(byte);
        match c.is_ascii_alphanumeric() || "-_|".contains(c) {
            true => text.push(c),
            false => {
                text.push('=');
                text.push_str(&hex([byte]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_plain_key_is_its_name() {
        for key in ["app||key", "a/b.txt", "\u{e9} x", "%2e", &"k".repeat(1_024)] {
            assert_eq!(name(key), key);
        }
    }

    #[test]
    fn no_two_keys_have_one_name() {
        let long = ["k".repeat(1_025), "l".repeat(1_025)];
        let keys = [
            "a\\b", "a/b", "a/../b", "a/./b", "b", "a.", "a=2e", "=ea=2e", "=e", "a//b", "a/",
            "a ", "a", "\u{1}", "=h00", "", &long[0], &long[1],
        ];
        let names: HashSet<_> = keys.iter().map(|key| name(key)).collect();
        assert_eq!(names.len(), keys.len(), "{names:?}");
        for name in names {
            assert!(name.len() <= MAX_NAME && !name.contains('\\'), "{name}");
            assert!(!name.split('/').any(|part| part == ".."), "{name}");
        }
    }
}
