#![no_main]
//! Journals of workflows.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::journal(data));
