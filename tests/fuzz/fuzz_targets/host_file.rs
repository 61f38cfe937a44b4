#![no_main]
//! The operator's file of a host with many tenants.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_manifest::fuzzing::host_file(data));
