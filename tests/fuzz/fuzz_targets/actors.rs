#![no_main]
//! Rows of actors.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::actors(data));
