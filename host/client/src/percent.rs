//! Percent encoding, as services that check signatures want it.

use wythe_blocks::text::hex;

/// A text in percent encoding, but for letters, digits, `-._~` and the characters of `plain`.
pub fn encode(text: &str, plain: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        match c.is_ascii_alphanumeric() || "-._~".contains(c) || plain.contains(c) {
            true => encoded.push(c),
            false => {
                encoded.push('%');
                encoded.push_str(&hex([byte]).to_ascii_uppercase());
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_encoded_but_for_plain_characters() {
        assert_eq!(encode("a b/c~\u{e9}+", ""), "a%20b%2Fc~%C3%A9%2B");
        assert_eq!(encode("a b/c", "/"), "a%20b/c");
    }
}
