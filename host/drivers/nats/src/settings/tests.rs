//! Settings as they are written, and what is made of them.

use super::*;
use serde_json::{Value, json};
use wythe_blocks::Error;

fn config(more: Value) -> Config {
    let mut whole = json!({ "natsURL": "nats://localhost" });
    for (key, value) in more.as_object().expect("an object") {
        whole[key] = value.clone();
    }
    serde_json::from_value(whole).expect("a config")
}

fn events(more: Value) -> Result<Parsed, String> {
    parse_events(config(more)).map_err(|wrong| Error::from(wrong).message().to_owned())
}

fn target(url: &str) -> Result<Target, String> {
    events(json!({ "natsURL": url })).map(|parsed| parsed.target)
}

#[test]
fn a_url_names_servers_and_a_login() {
    let cases = [
        ("localhost", "localhost:4222", false),
        ("nats://a:1, tls://b", "a:1, b:4222", true),
        ("nats://[::1]:7", "[::1]:7", false),
        ("tls://10.0.0.1/", "10.0.0.1:4222", true),
    ];
    for (url, address, is_secure) in cases {
        let target = target(url).expect(url);
        assert_eq!(
            (target.address().as_str(), target.is_secure),
            (address, is_secure)
        );
    }
    let login = target("nats://ada:p%40ss+word@a").expect("a login").login;
    assert_eq!(login.user.as_deref(), Some("ada"));
    assert_eq!(login.password.expect("a password").0.reveal(), "p@ss+word");
    let login = target("nats://secret@a").expect("a token").login;
    assert_eq!(login.token.expect("a token").0.reveal(), "secret");
    for url in [
        "",
        "http://a",
        "nats://",
        "nats://a/b",
        "nats://a:99999",
        "a b",
    ] {
        let error = target(url).err().expect(url);
        assert!(error.starts_with("natsURL: expected"), "{url}: {error}");
    }
    let error = target("ws://ada:secret@a").err().expect("an error");
    assert!(
        error.contains("no WebSocket") && !error.contains("secret"),
        "{error}"
    );
}

#[test]
fn a_login_that_goes_out_as_plain_text_is_warned_of() {
    let warned = |url: &str| {
        let parsed = events(json!({ "natsURL": url, "token": "t" })).expect(url);
        !warnings(&parsed).is_empty()
    };
    assert!(warned("nats://example.org"));
    assert!(warned("nats://localhost,nats://example.org"));
    for url in ["tls://example.org", "nats://127.0.0.1", "nats://[::1]"] {
        assert!(!warned(url), "{url}");
    }
}

#[test]
fn settings_that_do_not_fit_say_so() {
    let cases = [
        (json!({ "ackPolicy": "none" }), "expected `explicit`"),
        (json!({ "backOff": "[1s]" }), "write a `Resiliency`"),
        (json!({ "heartbeat": "1s" }), "here the host pulls"),
        (json!({ "rateLimit": 1 }), "here the host pulls"),
        (
            json!({ "deliverPolicy": "first" }),
            "expected `all`, `last`",
        ),
        (
            json!({ "deliverPolicy": "time" }),
            "expected `startTime` beside it",
        ),
        (
            json!({ "deliverPolicy": "all", "startSequence": 1 }),
            "do not fit it",
        ),
        (json!({ "startSequence": 0 }), "expected 1 or more"),
        (json!({ "durableName": "a.b" }), "without `.`"),
        (
            json!({ "streamName": "a", "maxBacklog": 1 }),
            "has its own bounds",
        ),
        (
            json!({ "concurrency": "double" }),
            "expected `single` or `parallel`",
        ),
        (json!({ "replicas": 6 }), "expected 1 to 5"),
        (json!({ "jwt": "a" }), "expected `seedKey` beside it"),
        (json!({ "seedKey": "a" }), "which begins with `SU`"),
        (
            json!({ "tls_client_cert": "a" }),
            "expected `tls_client_key` beside it",
        ),
        (json!({ "domain": "a", "apiPrefix": "b" }), "not both"),
        (json!({ "domain": "a.b" }), "expected one word"),
        (json!({ "bucket": "a" }), "has streams and no bucket"),
        (json!({ "ackWait": "1ms" }), "ackWait: expected"),
    ];
    for (more, expected) in cases {
        let error = events(more.clone()).err().expect("an error");
        assert!(error.contains(expected), "{more}: {error}");
    }
}

#[test]
fn a_bucket_has_a_name_and_nothing_of_streams() {
    let rows =
        |more| parse_rows(config(more)).map_err(|wrong| Error::from(wrong).message().to_owned());
    assert!(rows(json!({ "bucket": "a" })).is_ok());
    for more in [json!({}), json!({ "bucket": "a.b" })] {
        let error = rows(more).err().expect("an error");
        assert!(error.contains("expected the name of a bucket"), "{error}");
    }
    let error = rows(json!({ "bucket": "a", "ackWait": "1s" }))
        .err()
        .expect("an error");
    assert!(
        error.contains("a setting of `pubsub.jetstream` alone"),
        "{error}"
    );
}

#[test]
fn a_group_begins_where_it_is_told() {
    let begin = |more| events(more).expect("settings").events.begin;
    assert_eq!(begin(json!({})), Begin::Now);
    assert_eq!(begin(json!({ "deliverPolicy": "all" })), Begin::All);
    assert_eq!(begin(json!({ "startSequence": 3 })), Begin::Sequence(3));
    assert_eq!(
        begin(json!({ "deliverPolicy": "time", "startTime": 5 })),
        Begin::Time(5)
    );
}
