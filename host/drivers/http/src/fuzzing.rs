//! Requests of strangers to handlers, as targets of the fuzzer in `tests/fuzz`: no bytes may panic, and nobody passes who should
//! not.

pub use crate::middleware::{bearer::fuzzing::token, routeralias::fuzzing::alias};

/// The bytes before the first line feed, and those after it.
pub(crate) fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    (part(), part())
}

#[cfg(test)]
#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn seeds_are_read() {
    replay::replay(&[("alias", alias), ("token", token)]);
}
