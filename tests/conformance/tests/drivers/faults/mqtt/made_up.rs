//! Servers that are not what was meant: each says so in words that tell what to do.

use super::{
    super::{
        made_up::{self, Named, certificates, free_address, saying},
        run,
    },
    error, open,
};
use crate::backends::MQTT;
use libtest_mimic::Trial;
use servers::{Mosquitto, Server};
use std::time::Duration;
use wythe_blocks::{
    Kind, Result,
    pubsub::{Message, SubscribeOptions},
};

pub(super) fn trials() -> Vec<Trial> {
    let served: [Named; 2] = [
        ("a_wrong_password_says_so", wrong_password),
        ("tls_says_what_does_not_fit", tls),
    ];
    let made_up: [Named; 4] = [
        ("a_server_of_another_protocol_says_so", || run(other())),
        ("a_server_that_says_nothing_is_given_up", || run(silent())),
        ("a_session_with_many_messages_begins", || run(many())),
        ("a_refusal_that_comes_late_says_so", || run(late())),
    ];
    made_up::trials("mqtt", &MQTT, &served, &made_up)
}

fn wrong_password() {
    let server = Server::start(Mosquitto {
        has_users: true,
        ..Mosquitto::default()
    });
    let server = server.expect("a server");
    run(async {
        let address = server.address();
        let wrong = error(&format!("tcp://ada:kept-secret@{address}"), "").await;
        assert_eq!(wrong.kind(), Kind::Denied);
        let text = format!("{}{wrong:?}", wrong.chain());
        assert!(text.contains("check those in `url`"), "{text}");
        assert!(!text.contains("kept-secret"), "{text}");
        let driver = open(&format!("tcp://ada:lovelace@{address}"), "").await;
        let driver = driver.expect("it opens");
        assert!(driver.health().await.is_ok());
        let described = driver.describe().expect("a description");
        assert!(!described.contains("lovelace"), "{described}");
    });
}

fn tls() {
    let (path, secure) = (certificates(), free_address());
    let server = Mosquitto::default()
        .with(&format!("listener {} 127.0.0.1", secure.port()))
        .with(&format!("certfile {path}/host.pem"))
        .with(&format!("keyfile {path}/host.key"));
    let server = Server::start(server).expect("a server");
    run(async {
        let short = ", { name: timeout, value: 2s }";
        let plain = error(&format!("tcp://{secure}"), short).await;
        assert_eq!(plain.kind(), Kind::Unavailable, "{}", plain.chain());
        let strange = error(&format!("ssl://{secure}"), "").await;
        assert!(strange.message().contains("`caCert`"), "{strange}");
        let none = error(&format!("ssl://{}", server.address()), short).await;
        assert_eq!(none.kind(), Kind::Unavailable);
        assert!(none.message().contains("TLS"), "{none}");
        let pem = std::fs::read_to_string(format!("{path}/host.pem"));
        let pem = serde_json::Value::from(pem.expect("a certificate"));
        let more = format!(", {{ name: caCert, value: {pem} }}");
        let driver = open(&format!("ssl://{secure}"), &more).await;
        let driver = driver.unwrap_or_else(|error| panic!("{}", error.chain()));
        let published = driver.publish("topic", Message::default()).await;
        published.expect("a publish");
    });
}

/// The URL of a server that says something to whoever comes, and nothing more.
fn fake(answer: &'static [u8]) -> String {
    format!("tcp://{}", saying(answer))
}

async fn other() {
    let http = error(&fake(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "").await;
    assert_eq!(http.kind(), Kind::Unavailable);
    // A packet of 256 MiB is refused by its head: nothing of it is read.
    let endless = error(&fake(b"\x30\xff\xff\xff\x7fabc"), "").await;
    assert!(endless.message().contains("too much of it"), "{endless}");
    let old = error(&fake(b"\x20\x02\0\x01"), "").await;
    assert_eq!(old.kind(), Kind::Unsupported);
    assert!(old.message().contains("does not speak MQTT 3.1.1"), "{old}");
    let unknown = error("tcp://nowhere.invalid", "").await;
    let expected = "MQTT at nowhere.invalid:1883: the host of `url` has no address";
    assert!(unknown.message().starts_with(expected), "{unknown}");
}

async fn silent() {
    let error = error(&fake(b""), ", { name: timeout, value: 200ms }").await;
    let expected = format!("within {:?}", Duration::from_millis(200));
    assert!(error.message().contains(&expected), "{}", error.chain());
}

/// The messages of a session as a server of a test has them, more than the host holds.
const MANY: u16 = 1_001;

/// A server that answers a subscription after the messages of its session.
fn full(answer: u8) -> String {
    let address = made_up::serve(move |stream, _| {
        made_up::answer(stream, |asked| match asked[0] {
            0x10 => vec![0x20, 2, 0, 0],
            0x82 => {
                let message = |number: u16| {
                    let [high, low] = number.to_be_bytes();
                    [0x32, 6, 0, 1, b't', high, low, b'x']
                };
                let mut said: Vec<u8> = (1..=MANY).flat_map(message).collect();
                said.extend([0x90, 3, 0, 1, answer]);
                said
            }
            0xc0 => vec![0xd0, 0],
            _ => Vec::new(),
        });
    });
    format!("tcp://{address}")
}

/// Takes whatever comes until it is all of them and nothing more for a time, or an error.
async fn take(url: &str, silence: Duration) -> Result<()> {
    let driver = open(url, "").await.expect("it opens");
    let joined = driver.subscribe("t", "group", SubscribeOptions::default());
    let consumer = joined.await.expect("a member");
    let mut count = 0;
    while count < MANY {
        for one in consumer.pull(100).await? {
            let mut acked = consumer.ack(vec![one.receipt]).await;
            if let Some(Err(error)) = acked.pop() {
                // The session is over; whoever pulls is answered why.
                return Err(consumer.pull(1).await.err().unwrap_or(error));
            }
            count += 1;
        }
    }
    let more = tokio::time::timeout(silence, consumer.pull(1));
    more.await.map_or(Ok(()), |more| more.map(drop))
}

async fn many() {
    let taken = take(&full(1), Duration::from_secs(1)).await;
    taken.expect("all of them come");
}

async fn late() {
    let error = take(&full(0x80), Duration::from_secs(60)).await;
    let error = error.expect_err("an error");
    assert_eq!(error.kind(), Kind::Denied, "{}", error.chain());
    let expected = "the server refuses a subscription to `t`";
    assert!(error.message().starts_with(expected), "{error}");
}
