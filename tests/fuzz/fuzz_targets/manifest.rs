#![no_main]
//! The manifest of a project.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_manifest::fuzzing::manifest(data));
