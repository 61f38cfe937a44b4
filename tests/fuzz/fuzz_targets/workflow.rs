#![no_main]
//! Records and keys of workflows.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::workflow(data));
