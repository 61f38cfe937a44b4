//! Servers that are made up: none of them is what it seems, and each is named and bounded.

use super::{super::made_up, Kinds, error};
use servers::Server;
use std::net::SocketAddr;

/// A server that answers each message with the next of these texts; one that has nothing more to say waits.
fn answers(texts: Vec<Vec<u8>>) -> SocketAddr {
    made_up::serve(move |stream, _| {
        let mut texts = texts.clone().into_iter();
        made_up::answer(stream, |_| texts.next().unwrap_or_default());
    })
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a length");
    [&[kind], &length.to_be_bytes()[..], body].concat()
}

/// The answers of a server of this version to a login and to the first question.
fn of_version(version: &str) -> Vec<Vec<u8>> {
    let values = [version, "UTF8", "false", "on", "on", "off", "9.6"];
    let mut columns = 7u16.to_be_bytes().to_vec();
    let mut row = columns.clone();
    for value in values {
        columns.extend(b"c\0");
        columns.extend([0; 6]);
        columns.extend([0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
        row.extend((value.len() as u32).to_be_bytes());
        row.extend(value.bytes());
    }
    let login = [message(b'R', &[0; 4]), message(b'Z', b"I")].concat();
    let answer = [
        message(b'T', &columns),
        message(b'D', &row),
        message(b'C', b"SELECT 1\0"),
        message(b'Z', b"I"),
    ];
    vec![login, answer.concat()]
}

/// Each with its words, the rest of the connection string, and the error that names it.
fn cases() -> [(Vec<Vec<u8>>, &'static str, &'static str); 7] {
    let asked = |challenge: &str| {
        let body = [&[0, 0, 0, 10], challenge.as_bytes()].concat();
        message(b'R', &body)
    };
    [
        (
            of_version("90600"),
            "",
            "the database is PostgreSQL 9; expected 13 or newer",
        ),
        (
            vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()],
            "",
            "the server sends a message of 1414811695 bytes",
        ),
        (
            vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()],
            "sslmode=require",
            "what answers there is no PostgreSQL",
        ),
        (
            vec![vec![b'R', 0x7f, 0xff, 0xff, 0xff]],
            "",
            "the server sends a message of 2147483647 bytes",
        ),
        (
            vec![message(b'N', &[b'x'; 300_000])],
            "",
            "the server sends more than 262144 bytes before it is ready",
        ),
        (
            vec![message(b'R', &[0, 0, 0, 3])],
            "password=kept-secret",
            "the server asks for the password in clear text",
        ),
        (vec![asked("SCRAM-SHA-256\0\0")], "", "password missing"),
    ]
}

pub(super) async fn made_up(_: &'static Kinds, _: Server) {
    for (bytes, rest, expected) in cases() {
        let error = error(answers(bytes), &format!("user=ada {rest}")).await;
        assert!(
            error.chain().contains(expected),
            "{expected}: {}",
            error.chain()
        );
        assert!(!error.chain().contains("kept-secret"));
    }
}
