#![no_main]
//! Files of configuration.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_embedded::fuzzing::configuration(data));
