#![no_main]
//! Messages of the queue.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_embedded::fuzzing::message(data));
