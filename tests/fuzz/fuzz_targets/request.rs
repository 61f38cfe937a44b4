#![no_main]
//! Targets of requests from outside.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_api::fuzzing::request(data));
