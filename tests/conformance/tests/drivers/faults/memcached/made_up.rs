//! Servers of memcached that are none, or say what no server should.

use super::{Kinds, error, open};
use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};
use wythe_blocks::Kind;

/// Answers by the beginnings of the lines to which they are.
type Script = &'static [(&'static str, &'static str)];

const STATS: &str =
    "STAT pid 7\r\nSTAT uptime 4\r\nSTAT time 1004\r\nSTAT version 1.6.18\r\nEND\r\n";
const OLD: &str = "STAT pid 7\r\nSTAT uptime 4\r\nSTAT time 1004\r\nSTAT version 1.5.22\r\nEND\r\n";
const SETTINGS: &str = "STAT cas_enabled yes\r\nSTAT item_size_max 1048576\r\nEND\r\n";

/// A server that answers each line as the first of its script that fits, and otherwise not at all.
fn fake(script: Script) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, script));
        }
    });
    address
}

fn serve(stream: TcpStream, script: Script) {
    let mut writer = stream.try_clone().expect("a copy");
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let found = script.iter().find(|(begin, _)| line.starts_with(begin));
        if let Some((_, answer)) = found
            && writer.write_all(answer.as_bytes()).is_err()
        {
            return;
        }
    }
}

pub(super) async fn servers(kind: &'static Kinds) {
    let cases: [(Script, &str); 6] = [
        (
            &[("stats settings", SETTINGS), ("stats", OLD)],
            "is of version 1.5.22; expected 1.6.13 or later",
        ),
        (
            &[("stats", "HTTP/1.1 400 Bad Request\r\n\r\n")],
            "is not one of memcached",
        ),
        (&[("stats", "END\r\n")], "no proxy before it"),
        (
            &[("stats", "ERROR\r\n")],
            "answered its greeting with an error",
        ),
        (
            &[("stats settings", SETTINGS), ("stats", STATS)],
            "did not answer within `timeout`",
        ),
        (&[], "did not greet within `timeout`"),
    ];
    for (script, expected) in cases {
        let address = fake(script);
        let found = error(kind, address, ", { name: timeout, value: 300 }").await;
        let text = found.chain();
        assert!(text.contains(expected), "{expected}: {text}");
        let named = format!("memcached at {address}: ");
        assert!(text.starts_with(&named), "{text}");
    }
    let metadata = "[{ name: hosts, value: nowhere.invalid }]";
    let registry = wythe_drivers::registry();
    let directory = tempfile::tempdir().expect("a directory");
    let component = crate::open::component("state", "memcached", metadata);
    let site = crate::open::site(directory.path());
    let opened = registry.state.open(&component, site).await;
    let found = opened.err().expect("an error");
    let expected = "memcached at nowhere.invalid:11211: the host of `hosts` has no address";
    assert!(found.message().starts_with(expected), "{found}");
}

/// Answers that are too large are refused by their first line, and statistics that do not end are given up.
pub(super) async fn endless(kind: &'static Kinds) {
    const SCRIPTS: [Script; 3] = [
        &[
            ("stats settings", SETTINGS),
            ("stats", STATS),
            ("mn", "MN\r\n"),
            ("mg", "VA 4294967296 f0 c1 t-1\r\naaaa"),
        ],
        &[
            ("stats settings", SETTINGS),
            ("stats", STATS),
            ("mn", "MN\r\n"),
            ("mg", "VA 18446744073709551616 f0 c1 t-1\r\n"),
        ],
        &[
            ("stats settings", SETTINGS),
            ("stats", STATS),
            ("mn", "MN\r\n"),
            ("mg", "HD f0 c1 t-1\r\n"),
        ],
    ];
    for script in SCRIPTS {
        let driver = open(kind, fake(script)).await;
        let error = driver.get(&"a".into()).await.expect_err("no value");
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
        assert!(error.message().contains("not one of memcached"), "{error}");
    }
    let long: &'static str = Box::leak("a".repeat(5_000_000).into_boxed_str());
    let many = "STAT a 1\r\n".repeat(100_000);
    let many: &'static str = Box::leak(many.into_boxed_str());
    for (text, expected) in [
        (long, "a line of more than"),
        (many, "more than 2000 lines"),
    ] {
        let script: Script = Box::leak(Box::new([("stats", text)]));
        let text = error(kind, fake(script), "").await.chain();
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
