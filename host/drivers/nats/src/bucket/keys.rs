//! Keys as parts of subjects, and back.

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/')
}

/// A key as a part of a subject. `||` between two parts is a point, as Dapr has it; what a subject cannot have, points
/// among it, is `=` and two digits.
pub(super) fn encode(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    let bytes = key.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        // A point stands between two parts that are not empty.
        let is_between = !text.is_empty() && !text.ends_with('.') && at + 2 < bytes.len();
        if is_between && bytes[at..].starts_with(b"||") {
            text.push('.');
            at += 2;
            continue;
        }
        match bytes[at] {
            byte if is_plain(byte) => text.push(char::from(byte)),
            byte => text.push_str(&format!("={byte:02X}")),
        }
        at += 1;
    }
    if text.is_empty() {
        text.push('=');
    }
    text
}

/// The key of a part of a subject; none where somebody else wrote what is no such key.
pub(super) fn decode(text: &str) -> Option<String> {
    if text == "=" {
        return Some(String::new());
    }
    let (mut key, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'.' => key.extend(b"||"),
            b'=' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                key.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            byte => key.push(*byte),
        }
    }
    String::from_utf8(key)
        .ok()
        .filter(|key| encode(key) == text)
}

/// The whole parts of a prefix, as the beginning of a subject.
pub(super) fn below(prefix: &str) -> String {
    // The last part may go on; what is before its point is as it is.
    let encoded = encode(prefix);
    match prefix.strip_suffix("||") {
        Some(part) if !part.is_empty() && !part.ends_with('|') => format!("{}.", encode(part)),
        _ => encoded
            .rfind('.')
            .map_or("", |at| &encoded[..=at])
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_subjects_and_back() {
        let cases = [
            ("app||key", "app.key"),
            ("app||a||b", "app.a.b"),
            ("a.b", "a=2Eb"),
            ("a b\u{e9}*>", "a=20b=C3=A9=2A=3E"),
            ("||a", "=7C=7Ca"),
            ("a||", "a=7C=7C"),
            ("a|||b", "a.=7Cb"),
            ("a||||b", "a.=7C=7Cb"),
            ("=", "=3D"),
            ("", "="),
        ];
        for (key, text) in cases {
            assert_eq!(encode(key), text, "{key}");
            assert_eq!(decode(text).as_deref(), Some(key), "{text}");
        }
        for text in ["a=", "a=2", "a=zz", "a=41", ".a", "a..b", "=FF"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_prefix_narrows_by_its_whole_parts() {
        let cases = [
            ("", ""),
            ("app", ""),
            ("app||", "app."),
            ("app||a", "app."),
            ("app||a||b", "app.a."),
            ("app|", ""),
            ("app|||", "app."),
            ("app||||", "app."),
            ("a||b||", "a.b."),
            ("||", ""),
        ];
        for (prefix, whole) in cases {
            assert_eq!(below(prefix), whole, "{prefix}");
        }
    }
}
