//! The forms that are read here, as targets of the fuzzer in `tests/fuzz`: no bytes may panic, and what can be written is
//! read back as it was.

pub use crate::{
    actors::fuzzing::actors,
    call::fuzzing::call,
    crypto::fuzzing::encryption,
    invocation::fuzzing::path,
    jobs::fuzzing::schedule,
    pubsub::fuzzing::{event, rules},
    workflow::fuzzing::{journal, workflow},
};

/// Takes a number off the front of some bytes; 0 where there is none.
pub(crate) fn number(bytes: &mut &[u8]) -> u64 {
    let Some((first, rest)) = bytes.split_first_chunk() else {
        return 0;
    };
    *bytes = rest;
    u64::from_le_bytes(*first)
}

/// The bytes before the first line feed, and those after it.
pub(crate) fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let end = end.unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

#[cfg(test)]
#[path = "../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn seeds_are_read() {
    replay::replay(&[
        ("actors", actors),
        ("call", call),
        ("encryption", encryption),
        ("event", event),
        ("journal", journal),
        ("path", path),
        ("rules", rules),
        ("schedule", schedule),
        ("workflow", workflow),
    ]);
}
