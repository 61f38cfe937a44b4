#![no_main]
//! Files of keys.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_embedded::fuzzing::keys(data));
