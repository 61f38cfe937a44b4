#![no_main]
//! Amounts and names.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_manifest::fuzzing::quantity(data));
