#![no_main]
//! Routes of other names, and targets of requests.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_http::fuzzing::alias(data));
