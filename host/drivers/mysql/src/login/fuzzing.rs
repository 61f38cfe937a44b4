//! A login at whoever answers, as a part of a target of the fuzzer: a password does not leave in clear.

use super::*;
use crate::fuzzing::at_once;
use std::io::Cursor;
use tokio::io::AsyncReadExt as _;

const PASSWORD: &str = "a password of a test";

/// The first packets of a server, without TLS.
pub fn login(data: &[u8]) {
    // A proof is shorter than the packet that asks for it and the bytes around both.
    let (near, mut far) = tokio::io::duplex(4 * LOGIN);
    let stream = tokio::io::join(Cursor::new(data.to_vec()), near);
    let mut wire = Wire::new(Box::new(stream));
    wire.begin(LOGIN);
    let Ok(packet) = at_once(wire.read()) else {
        return;
    };
    let Ok(greeting) = Greeting::read(&packet) else {
        return;
    };
    assert!(greeting.salt.len() <= 20 && greeting.abilities & NEEDED == NEEDED);
    let mut prover = Prover {
        password: PASSWORD,
        plugin: greeting.plugin,
        is_secure: false,
    };
    let proof = prover.prove(&greeting.salt).unwrap_or_default();
    at_once(wire.write(&proof)).expect("there is room");
    // Whatever becomes of it.
    drop(at_once(prover.finish(&mut wire)));
    drop(wire);
    let mut said = Vec::new();
    at_once(far.read_to_end(&mut said)).expect("all is there");
    let mut parts = said.windows(PASSWORD.len());
    assert!(!parts.any(|part| part == PASSWORD.as_bytes()));
}
