//! Text from somebody else on its way to a terminal or a log: it moves no cursor, begins no line, and has an end. Bytes
//! become text here as well.

use std::borrow::Cow;

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
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}
