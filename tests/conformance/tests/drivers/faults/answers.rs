//! Servers that are not what was meant: each says so in words that tell what to do.

use super::{
    made_up::{self, Named, certificates, free_address},
    redis, run,
};
use crate::{
    backends::REDIS,
    open::{component, site},
};
use libtest_mimic::Trial;
use servers::{Redis, Server};
use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};
use wythe_blocks::{Error, Kind, state::Put};

pub(super) fn trials() -> Vec<Trial> {
    let served: [Named; 3] = [
        ("a_wrong_password_says_so", wrong_password),
        ("tls_that_does_not_fit_says_so", tls),
        ("tls_with_an_authority_of_its_own", trusted),
    ];
    let made_up: [Named; 6] = [
        ("an_unknown_host_says_so", || run(unknown_host())),
        ("a_server_that_is_too_old_says_so", || run(too_old())),
        ("a_server_that_ends_a_greeting_says_so", || run(broken())),
        ("an_answer_without_end_ends_the_connection", || {
            run(endless())
        }),
        ("a_server_that_says_nothing_is_given_up", || run(silent())),
        ("settings_that_do_not_fit_say_so", || run(settings())),
    ];
    made_up::trials("redis", &REDIS, &served, &made_up)
}

async fn error(address: SocketAddr, more: &str) -> Error {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = redis().state(address, directory.path(), more).await;
    opened.err().expect("an error")
}

fn wrong_password() {
    let server = Server::start(Redis::default().with("requirepass kept-secret"));
    let server = server.expect("a server");
    run(async {
        let address = server.address();
        let none = error(address, "").await;
        assert_eq!(none.kind(), Kind::Denied);
        assert!(none.message().contains("set `redisPassword`"), "{none}");
        let wrong = error(address, ", { name: redisPassword, value: wrong-secret }").await;
        assert_eq!(wrong.kind(), Kind::Denied);
        let text = format!("{}{wrong:?}", wrong.chain());
        assert!(
            text.contains("check `redisUsername` and `redisPassword`"),
            "{text}"
        );
        assert!(!text.contains("wrong-secret"), "{text}");
        let directory = tempfile::tempdir().expect("a directory");
        let more = ", { name: redisPassword, value: kept-secret }";
        let driver = redis()
            .state(address, directory.path(), more)
            .await
            .expect("it opens");
        driver.put(Put::new("a", "1")).await.expect("a put");
        let described = driver.describe().expect("a description");
        assert!(!described.contains("secret"), "{described}");
        let expected = format!("at {address}, database 0, durable (appendfsync always)");
        assert!(
            described.starts_with("Redis ") && described.ends_with(&expected),
            "{described}"
        );
    });
}

/// A server that speaks TLS, and nothing else; it answers no check of the fixture, so that it is asked here.
fn tls() {
    let plain = Server::start(Redis::default()).expect("a server");
    run(async {
        let more = ", { name: enableTLS, value: true }, { name: dialTimeout, value: 1s }";
        let error = error(plain.address(), more).await;
        assert_eq!(error.kind(), Kind::Unavailable);
        let expected = "does it speak TLS on this port?";
        assert!(error.message().contains(expected), "{error}");
    });
    let (server, address) = secure();
    run(async {
        let error = error(address, "").await;
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.message().contains("Then set `enableTLS`"), "{error}");
        // Its certificate is signed by no authority of the web.
        let strange = super::answers::error(address, ", { name: enableTLS, value: true }").await;
        assert!(strange.message().contains("`caCert`"), "{strange}");
    });
    drop(server);
}

fn secure() -> (Server, SocketAddr) {
    let (path, address) = (certificates(), free_address());
    let server = Redis::default()
        .with(&format!("tls-port {}", address.port()))
        .with(&format!("tls-cert-file {path}/host.pem"))
        .with(&format!("tls-key-file {path}/host.key"))
        .with("tls-auth-clients no")
        .with(&format!("tls-ca-cert-file {path}/host.pem"));
    (Server::start(server).expect("a server"), address)
}

fn trusted() {
    let (_server, address) = secure();
    run(async {
        let pem = std::fs::read_to_string(Path::new(&certificates()).join("host.pem"));
        let pem = serde_json::Value::from(pem.expect("a certificate"));
        let more =
            format!(", {{ name: enableTLS, value: true }}, {{ name: caCert, value: {pem} }}");
        let directory = tempfile::tempdir().expect("a directory");
        let driver = redis()
            .state(address, directory.path(), &more)
            .await
            .expect("it opens");
        driver.put(Put::new("a", "1")).await.expect("a put");
    });
}

async fn unknown_host() {
    let directory = tempfile::tempdir().expect("a directory");
    let metadata = "[{ name: redisHost, value: \"nowhere.invalid:6379\" }]";
    let component = component("state", "redis", metadata);
    let registry = wythe_drivers::registry();
    let opened = registry
        .state
        .open(&component, site(directory.path()))
        .await;
    let error = opened.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected = "Redis at nowhere.invalid:6379: the host of `redisHost` has no address";
    assert!(error.message().starts_with(expected), "{error}");
}

/// A server that answers each command with one text; `info` is its answer to `INFO`. It does not say its settings.
fn fake(info: &'static str, other: &'static [u8]) -> SocketAddr {
    fake_with(info, b"-ERR unknown command\r\n", other)
}

fn fake_with(info: &'static str, settings: &'static [u8], other: &'static [u8]) -> SocketAddr {
    let answer = move |asked: &[u8]| match String::from_utf8_lossy(asked) {
        text if text.contains("PING") => b"+PONG\r\n".to_vec(),
        text if text.contains("INFO") => format!("${}\r\n{info}\r\n", info.len()).into_bytes(),
        text if text.contains("CONFIG") => settings.to_vec(),
        _ => other.to_vec(),
    };
    made_up::serve(move |stream, _| made_up::answer(stream, answer))
}

const NEW: &str = "redis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master";

async fn too_old() {
    let old = fake("redis_version:5.0.7\r\nrole:master", b"+OK\r\n");
    let error = error(old, "").await;
    assert_eq!(error.kind(), Kind::Unsupported);
    let expected = "the server is of version 5.0.7; expected 6.2 or later";
    assert!(error.message().contains(expected), "{error}");
}

/// A connection that breaks is no server that does not say its settings.
async fn broken() {
    let broken = fake_with(NEW, b"!", b"+OK\r\n");
    let directory = tempfile::tempdir().expect("a directory");
    let component = redis().subject("lock", broken, "");
    let registry = wythe_drivers::registry();
    let opened = registry.lock.open(&component, site(directory.path()));
    let error = opened.await.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("the connection broke"), "{error}");
}

/// A text of 4 GiB is refused by its head: nothing of it is read.
async fn endless() {
    let hostile = fake(NEW, b"$4294967296\r\naaaaaaaaaaaaaaaa");
    let error = error(hostile, "").await;
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected = "an answer of the server has more than 67108864 bytes";
    assert!(error.chain().contains(expected), "{}", error.chain());
}

async fn silent() {
    let silent = fake(NEW, b"");
    let error = error(silent, ", { name: readTimeout, value: 100ms }").await;
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(
        error.message().contains("did not answer in time"),
        "{error}"
    );
    // One that does not even greet.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    let error = super::answers::error(address, ", { name: dialTimeout, value: 100ms }").await;
    let expected = format!("within {:?}", Duration::from_millis(100));
    assert!(error.message().contains(&expected), "{error}");
}

async fn settings() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let cases = [
        (
            "redisType, value: cluster",
            "redisType: this build speaks to no cluster",
        ),
        (
            "failover, value: true",
            "expected `sentinelMasterName` beside it",
        ),
        ("caCert, value: x", "expected `enableTLS: true` beside it"),
        (
            "queueDepth, value: 10",
            "this is a setting of `pubsub.redis` alone",
        ),
        ("readTimeout, value: 0s", "expected 10ms to 24h"),
        ("queryIndexes, value: x", "queryIndexes"),
    ];
    for (setting, expected) in cases {
        let error = error(address, &format!(", {{ name: {setting} }}")).await;
        assert!(error.message().contains(expected), "{setting}: {error}");
    }
}
