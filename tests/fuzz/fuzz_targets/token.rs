#![no_main]
//! Bearer tokens, and the keys that they are checked by.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_http::fuzzing::token(data));
