#![no_main]
//! Triggers of jobs.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::schedule(data));
