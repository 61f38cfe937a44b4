#![no_main]
//! Forms of the dashboard.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_api::fuzzing::form(data));
