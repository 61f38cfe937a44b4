#![no_main]
//! Frames of a server of NATS.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_nats::fuzzing::nats(data));
