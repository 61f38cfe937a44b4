//! Servers of NATS that are none: they greet, and then say what no server should.

use super::{super::made_up, Kinds, error};
use crate::open::{component, site};
use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
};
use wythe_blocks::Kind;

/// A server that greets each connection by one text, and answers its first words by another one.
fn fake(greeting: &'static str, answer: &'static [u8]) -> SocketAddr {
    made_up::serve(move |mut stream, _| {
        let _ = stream.write_all(greeting.as_bytes());
        let mut left = Some(answer.to_vec());
        made_up::answer(stream, |_| left.take().unwrap_or_default());
    })
}

const GREETING: &str =
    "INFO {\"version\":\"2.14.8\",\"headers\":true,\"jetstream\":true,\"max_payload\":1048576}\r\n";
const OLD: &str = "INFO {\"version\":\"2.8.4\",\"headers\":true,\"jetstream\":true}\r\n";
const PLAIN: &str = "INFO {\"version\":\"2.14.8\",\"headers\":true}\r\n";

pub(super) async fn servers(kind: &'static Kinds) {
    let cases: [(&str, &[u8], &str); 6] = [
        (
            OLD,
            b"",
            "the server is of version 2.8.4; expected 2.9 or later",
        ),
        (PLAIN, b"", "has no JetStream"),
        (
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            b"",
            "does not greet as NATS does",
        ),
        (
            GREETING,
            b"-ERR 'Authorization Violation'\r\n",
            "wants a login",
        ),
        // A message of 4 GiB is refused by its line: nothing of it is read, and whether the request was sent by then is
        // a matter of chance.
        (GREETING, b"PONG\r\nMSG a 1 4294967296\r\naaaa", "broke"),
        (GREETING, b"PONG\r\n", "did not answer in time"),
    ];
    for (greeting, answer, expected) in cases {
        let address = fake(greeting, answer);
        let found = error(kind, address, ", { name: timeout, value: 3s }").await;
        let text = found.chain();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(text.starts_with(&format!("NATS at {address}: ")), "{text}");
    }
}

/// A server that does not even greet, and one that there is not.
pub(super) async fn silence(kind: &'static Kinds) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let found = error(kind, address, ", { name: timeout, value: 100ms }").await;
    assert_eq!(found.kind(), Kind::Unavailable);
    assert!(found.message().contains("within 100ms"), "{found}");
    let metadata =
        "[{ name: natsURL, value: \"nats://nowhere.invalid\" }, { name: bucket, value: rows }]";
    let registry = wythe_drivers::registry();
    let directory = tempfile::tempdir().expect("a directory");
    let component = component("state", "jetstream", metadata);
    let opened = registry
        .state
        .open(&component, site(directory.path()))
        .await;
    let found = opened.err().expect("an error");
    assert_eq!(found.kind(), Kind::Unavailable);
    let expected = "NATS at nowhere.invalid:4222: the host of `natsURL` has no address";
    assert!(found.message().starts_with(expected), "{found}");
}
