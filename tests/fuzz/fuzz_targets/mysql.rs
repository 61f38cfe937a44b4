#![no_main]
//! Packets of a server of MySQL.

libfuzzer_sys::fuzz_target!(|data: &[u8]| wythe_drivers_mysql::fuzzing::mysql(data));
