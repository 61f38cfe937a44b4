//! Etags: random, so that one never comes back after delete and recreate, and 16 hex digits outside.

use wythe_blocks::{random, state::Etag};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A version that no entry had before. Not a secret: it only has to be different.
pub(crate) fn fresh() -> u64 {
    random::next()
}

/// Formats by hand because `format!` would be half the price of a read from memory.
pub(crate) fn to_text(etag: u64) -> Etag {
    let mut text = Etag::with_capacity(16);
    for shift in (0..16).rev() {
        let digit = (etag >> (shift * 4)) & 0xf;
        text.push(char::from(DIGITS[digit as usize]));
    }
    text
}

/// True if `text` is this etag; a text that no driver gave out is none.
pub(crate) fn is(text: &str, etag: u64) -> bool {
    text == to_text(etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn texts_have_sixteen_digits() {
        assert_eq!(to_text(0xab), "00000000000000ab");
        assert_eq!(to_text(u64::MAX), "ffffffffffffffff");
        assert!(is("00000000000000ab", 0xab));
        assert!(!is("ab", 0xab));
    }

    #[test]
    fn fresh_ones_differ_between_threads_too() {
        let threads: Vec<_> = (0..4)
            .map(|_| std::thread::spawn(|| (0..10_000).map(|_| fresh()).collect::<Vec<_>>()))
            .collect();
        let all: Vec<u64> = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect();
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }
}
