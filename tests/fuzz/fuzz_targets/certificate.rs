#![no_main]
//! Certificates of clients.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_api::fuzzing::certificate(data));
