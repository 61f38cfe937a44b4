//! Servers that are made up, and how the tests of them, and of servers that are not what was meant, are run.

use crate::backends::Backend;
use libtest_mimic::{Failed, Trial};
use servers::must_be_there;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// A test, by its name.
pub(super) type Named = (&'static str, fn());

/// Tests of a kind of server: those for which it is started, ignored where this machine has none, and those that make one up.
pub(super) fn trials(
    kind: &str,
    backend: &Backend,
    served: &[Named],
    made_up: &[Named],
) -> Vec<Trial> {
    let missing = backend.server().err();
    let is_ignored = missing
        .as_ref()
        .is_some_and(|missing| !must_be_there(missing));
    let reason = missing.map_or(String::new(), |missing| format!(" ({missing})"));
    let trial = |&(name, test): &Named, reason: &str| {
        Trial::test(format!("faults::{kind}::{name}{reason}"), move || {
            test();
            Ok::<_, Failed>(())
        })
    };
    let served = served.iter().map(|one| trial(one, &reason));
    let served = served.map(|trial| trial.with_ignored_flag(is_ignored));
    let made_up = made_up.iter().map(|one| trial(one, ""));
    served.chain(made_up).collect()
}

/// The directory of the certificate that a server of a test has, and of its key.
pub(super) fn certificates() -> String {
    format!("{}/../host/certificates", env!("CARGO_MANIFEST_DIR"))
}

/// An address that nobody listens on.
pub(super) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("a port")
}

/// A server that does so with each connection, which comes with its number from 0 on.
pub(crate) fn serve(with: impl Fn(TcpStream, usize) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let with = with.clone();
            thread::spawn(move || with(stream, number));
        }
    });
    address
}

/// Answers whatever comes, until the client goes.
pub(super) fn answer(mut stream: TcpStream, mut answer: impl FnMut(&[u8]) -> Vec<u8>) {
    let mut asked = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut asked) {
        if stream.write_all(&answer(&asked[..count])).is_err() {
            return;
        }
    }
}

/// A server that has one answer to whatever comes.
pub(super) fn saying(text: impl Into<Vec<u8>>) -> SocketAddr {
    let text = text.into();
    serve(move |stream, _| answer(stream, |_| text.clone()))
}
