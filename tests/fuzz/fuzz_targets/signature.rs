#![no_main]
//! Files of signatures.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_manifest::fuzzing::signature(data));
