#![no_main]
//! Requests of the control API.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_api::fuzzing::control(data));
