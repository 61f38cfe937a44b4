#![no_main]
//! Events from brokers and for them.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::event(data));
