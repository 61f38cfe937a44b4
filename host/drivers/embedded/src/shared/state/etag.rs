//! Etags: random, so that one never comes back after delete and recreate, and 16 hex digits outside.

use crate::shared::clock;
use std::cell::Cell;
use wythe_blocks::state::Etag;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

thread_local! {
    static STATE: Cell<u64> = Cell::new(seed());
}

fn seed() -> u64 {
    // Without entropy the address of a fresh allocation and the clock still differ between threads and runs.
    getrandom::u64().unwrap_or_else(|_| {
        let place = std::ptr::from_ref(&*Box::new(0u8)) as u64;
        clock::now() ^ place.rotate_left(32)
    })
}

/// A version that no entry had before. Not a secret: it only has to be different.
pub(crate) fn fresh() -> u64 {
    // SplitMix64: its state walks all 64-bit numbers, so one thread never repeats itself.
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
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
