#![no_main]
//! Rows of jobs.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_embedded::fuzzing::job(data));
