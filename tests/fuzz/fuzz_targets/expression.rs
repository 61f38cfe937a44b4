#![no_main]
//! Conditions over events.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_manifest::fuzzing::expression(data));
