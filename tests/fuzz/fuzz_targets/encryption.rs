#![no_main]
//! Encrypted messages.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::encryption(data));
