//! Servers that are not what was meant: each says so in words that tell what to do.

use super::{
    super::{
        made_up::{self, Named, certificates, free_address, saying},
        run,
    },
    error, message, metadata, opened,
};
use crate::{
    backends::RABBITMQ,
    open::{component, site},
};
use libtest_mimic::Trial;
use servers::{RabbitMq, Server};
use std::{net::SocketAddr, time::Duration};
use wythe_blocks::{Error, Kind};

pub(super) fn trials() -> Vec<Trial> {
    let served: [Named; 2] = [
        ("tls_says_what_does_not_fit", tls),
        ("a_server_without_memory_says_so", blocked),
    ];
    let made_up: [Named; 4] = [
        ("an_unknown_host_says_so", || run(unknown_host())),
        ("a_server_that_is_too_old_says_so", || run(too_old())),
        ("a_server_of_another_protocol_says_so", || run(other())),
        ("a_server_that_says_nothing_is_given_up", || run(silent())),
    ];
    made_up::trials("rabbitmq", &RABBITMQ, &served, &made_up)
}

fn tls() {
    let secure = free_address();
    let path = certificates();
    let server = RabbitMq::default()
        .with(&format!("listeners.ssl.1 = 127.0.0.1:{}", secure.port()))
        .with(&format!("ssl_options.certfile = {path}/host.pem"))
        .with(&format!("ssl_options.keyfile = {path}/host.key"))
        .with(&format!("ssl_options.cacertfile = {path}/host.pem"))
        .with("ssl_options.verify = verify_none");
    let server = Server::start(server).expect("a server");
    run(async {
        let short = ", { name: timeout, value: 2s }";
        let plain = error(secure, short).await;
        assert_eq!(plain.kind(), Kind::Unavailable, "{}", plain.chain());
        let strange = over_tls(secure, "").await.expect("an error");
        assert!(strange.message().contains("`caCert`"), "{strange}");
        let none = over_tls(server.address(), short).await.expect("an error");
        assert!(none.message().contains("no TLS with the server"), "{none}");
        let pem = std::fs::read_to_string(format!("{path}/host.pem"));
        let pem = serde_json::Value::from(pem.expect("a certificate"));
        let trusted = over_tls(secure, &format!(", {{ name: caCert, value: {pem} }}")).await;
        assert!(trusted.is_none(), "{}", trusted.expect("an error").chain());
    });
}

/// The error of a connection by TLS, if there is one.
async fn over_tls(address: SocketAddr, more: &str) -> Option<Error> {
    let metadata = metadata("connectionString", address, more).replace("amqp://", "amqps://");
    let directory = tempfile::tempdir().expect("a directory");
    let component = component("pubsub", "rabbitmq", &metadata);
    let registry = wythe_drivers::registry();
    let opened = registry
        .pubsub
        .open(&component, site(directory.path()))
        .await;
    let driver = match opened {
        Ok(driver) => driver,
        Err(error) => return Some(error),
    };
    driver.publish("topic", message("x")).await.err()
}

/// A server with an alarm stops reading: it says so once something is published.
fn blocked() {
    let server = RabbitMq::default().with("vm_memory_high_watermark.absolute = 1MB");
    let server = Server::start(server).expect("a server");
    run(async {
        let driver = opened(server.address(), ", { name: timeout, value: 1s }").await;
        let error = loop {
            let published = driver.publish("topic", message("x")).await;
            let error = published.expect_err("nothing is taken");
            if error.message().contains("connection.blocked") {
                break error;
            }
            assert_eq!(error.kind(), Kind::UnknownOutcome, "{}", error.chain());
        };
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(driver.health().await.is_err());
    });
}

async fn unknown_host() {
    let directory = tempfile::tempdir().expect("a directory");
    let metadata = "[{ name: hostname, value: nowhere.invalid }]";
    let component = component("pubsub", "rabbitmq", metadata);
    let registry = wythe_drivers::registry();
    let opened = registry
        .pubsub
        .open(&component, site(directory.path()))
        .await;
    let error = opened.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected =
        "RabbitMQ at nowhere.invalid:5672, virtual host `/`: the host of `hostname` has no address";
    assert!(error.message().starts_with(expected), "{error}");
}

/// The first frame of a server of this version.
fn start(version: &str) -> Vec<u8> {
    let mut table = b"\x07productS\0\0\0\x08RabbitMQ\x07versionS".to_vec();
    table.extend(u32::try_from(version.len()).unwrap_or(0).to_be_bytes());
    table.extend(version.as_bytes());
    let mut payload = b"\0\x0a\0\x0a\0\x09".to_vec();
    payload.extend(u32::try_from(table.len()).unwrap_or(0).to_be_bytes());
    payload.extend(table);
    payload.extend(b"\0\0\0\x05PLAIN\0\0\0\x05en_US");
    let mut frame = vec![1, 0, 0];
    frame.extend(u32::try_from(payload.len()).unwrap_or(0).to_be_bytes());
    frame.extend(payload);
    frame.push(0xCE);
    frame
}

async fn too_old() {
    let old = saying(start("3.7.28"));
    let error = error(old, "").await;
    assert_eq!(error.kind(), Kind::Unsupported, "{}", error.chain());
    let expected = "the server is of version 3.7.28; expected 3.10 or later";
    assert!(error.message().contains(expected), "{error}");
}

async fn other() {
    for (answer, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "not AMQP 0-9-1"),
        (b"AMQP\0\x01\0\0", "another version of AMQP"),
        (b"\x01\0\0\xff\xff\xff\xff", "more than 65536 bytes"),
    ] {
        let error = error(saying(answer), "").await;
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.chain().contains(expected), "{}", error.chain());
    }
}

async fn silent() {
    let error = error(saying(""), ", { name: timeout, value: 200ms }").await;
    let expected = format!("within {:?}", Duration::from_millis(200));
    assert!(error.message().contains(&expected), "{}", error.chain());
}
