//! The requests that are read here, as targets of the fuzzer in `tests/fuzz`: no bytes may panic, and what can be written
//! is read back as it was.

pub use crate::{
    admin::fuzzing::control, dashboard::act::fuzzing::form, ingress::fuzzing::request,
    tls::authority::fuzzing::certificate,
};

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
        ("certificate", certificate),
        ("control", control),
        ("form", form),
        ("request", request),
    ]);
}
