#![no_main]
//! Paths of calls between apps, as policies know them.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::path(data));
