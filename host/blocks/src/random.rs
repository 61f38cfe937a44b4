//! Random numbers: those of the operating system, which nobody can guess, and cheap ones, which only have to differ.

use crate::{Error, Result, text::hex};
use std::{cell::Cell, time::SystemTime};

/// Random bytes of the operating system.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        Error::unavailable("the system gives no random numbers").with_source(error)
    })?;
    Ok(bytes)
}

/// 128 random bits in hexadecimal: a name that nobody else comes up with.
pub fn name() -> Result<String> {
    bytes::<16>().map(hex)
}

/// A number that is not a secret: each thread walks through all there are, from a place of its own.
///
/// This is SplitMix64 (Steele, Lea and Flood, 2014).
#[inline]
pub fn next() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(seed());
    }
    let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(state);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A place to begin at: the address of a fresh allocation and the clock differ between threads and runs, also without
/// entropy.
fn seed() -> u64 {
    bytes().map(u64::from_ne_bytes).unwrap_or_else(|_| {
        let place = std::ptr::from_ref(&*Box::new(0u8)) as u64;
        let clock = crate::time::since_1970(SystemTime::now());
        crate::time::nanoseconds(clock) ^ place.rotate_left(32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_names_do_not_come_again() {
        let here = (0..1_000).map(|_| next());
        let there = std::thread::spawn(|| (0..1_000).map(|_| next()).collect::<Vec<_>>());
        let all: HashSet<_> = here.chain(there.join().unwrap()).collect();
        assert_eq!(all.len(), 2_000);
        let names = [(); 2].map(|()| name().unwrap());
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.len() == 32));
    }
}
