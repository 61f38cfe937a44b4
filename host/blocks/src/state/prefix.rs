//! The end of the keys that begin with a prefix, for drivers that list by a range.

/// The first text after all those that begin with the prefix, in the order of bytes; nothing where there is none.
pub fn after_all(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_after_all_that_begin_with_it() {
        for (prefix, expected) in [
            ("", None),
            ("a", Some("b")),
            ("a||", Some("a|}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}\u{10ffff}", None),
            ("\u{d7ff}", Some("\u{e000}")),
        ] {
            assert_eq!(after_all(prefix).as_deref(), expected, "{prefix:?}");
        }
    }
}
