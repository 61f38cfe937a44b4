#![no_main]
//! Files of resources, and the settings in them.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_manifest::fuzzing::resources(data));
