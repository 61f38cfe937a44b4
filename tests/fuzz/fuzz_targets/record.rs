#![no_main]
//! Records of state.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_embedded::fuzzing::record(data));
