#![no_main]
//! Files of secrets.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_embedded::fuzzing::secrets(data));
