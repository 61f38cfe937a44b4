//! Text from somebody else on its way to a terminal or a log: it moves no cursor, begins no line, and has an end. Bytes
//! become text here as well.

use std::{borrow::Cow, error::Error as StdError};

/// Bytes of a text of somebody else in a log line.
pub const MAX_CAUSE: usize = 4 << 10;

/// The bytes as hexadecimal digits.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = vec![0; bytes.len() * 2];
    write_hex(&mut text, bytes);
    text.into_iter().map(char::from).collect()
}

/// Writes the bytes as hexadecimal digits, for which there has to be room.
pub(crate) fn write_hex(text: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// The text with every control character written out, but tabs.
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_but(text, |c| c == '\t')
}

/// Escapes a text of several lines as [`escape`] does, but keeps tabs and line feeds.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    escape_but(text, |c| matches!(c, '\t' | '\n'))
}

/// The beginning of a text, at most so many bytes of it.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// A number of bytes, as people say it.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// An error with its causes, each once.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}

fn escape_but(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_bad = |c: char| (c.is_control() || is_direction(c)) && !keep(c);
    if !text.contains(is_bad) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_bad(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Characters that turn the direction of what follows, so that a text reads as another.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_that_moves_no_cursor() {
        assert_eq!(escape("a\nb\x1b[2J\tc"), "a\\nb\\u{1b}[2J\tc");
        assert_eq!(
            escape("\u{9b}2J\u{202e}txt\x7f"),
            "\\u{9b}2J\\u{202e}txt\\u{7f}"
        );
        assert_eq!(escape_lines("a\n\x07b\n"), "a\n\\u{7}b\n");
        assert!(matches!(escape("Grüße"), Cow::Borrowed(_)));
    }

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hex([0, 0x0a, 0xff]), "000aff");
        assert_eq!(hex([]), "");
    }

    #[test]
    fn sizes_are_said_as_people_do() {
        let sizes = [
            (999, "999 B"),
            (1_500, "1.5 KB"),
            (268_400_000, "268.4 MB"),
            (2_000_000_000, "2.0 GB"),
        ];
        for (bytes, expected) in sizes {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn an_error_says_each_cause_once() {
        let refused = std::io::Error::other("refused");
        let same = crate::Error::unavailable("cannot send: refused").with_source(refused);
        assert_eq!(chain(&same), "cannot send: refused");
        let other = crate::Error::unavailable("cannot send").with_source(same);
        assert_eq!(chain(&other), "cannot send: cannot send: refused");
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
