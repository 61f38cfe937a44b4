#![no_main]
//! Rules of subscriptions, with an event.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_blocks::fuzzing::rules(data));
