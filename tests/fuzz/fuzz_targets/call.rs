#![no_main]
//! Headers of calls between hosts, and traces.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::call(data));
