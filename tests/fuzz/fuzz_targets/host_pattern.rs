#![no_main]
//! Patterns of hosts.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_manifest::fuzzing::host_pattern(data));
