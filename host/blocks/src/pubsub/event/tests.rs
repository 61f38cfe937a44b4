//! Events arrive as they were published, and are believed as far as the host has sealed them.

use super::*;
use crate::pubsub::{
    letter::{Death, bury, revive},
    seal::derived,
};
use std::time::Instant;
use wythe_manifest::Name;

fn keys() -> Seal {
    Seal::new([7; 32])
}

fn scope(topic: &str) -> SealScope<'_> {
    SealScope {
        tenant: "tenant",
        component: "pubsub",
        topic,
    }
}

fn caller() -> Call {
    let name = |text: &str| text.parse::<Name>().unwrap();
    Call::operator(name("tenant"), name("cart"), Instant::now())
}

fn event(content_type: &str, data: &[u8]) -> Event {
    Event {
        kind: "lab".into(),
        content_type: content_type.into(),
        data: Bytes::copy_from_slice(data),
        ..Event::default()
    }
}

fn sealed(event: Event, options: &PublishOptions) -> Message {
    let sealed = seal(&caller(), &keys(), scope("topic"), event, options);
    sealed.unwrap().1
}

fn opened(message: &Message) -> Opened {
    open(&keys(), scope("topic"), message, false)
}

fn raw() -> PublishOptions {
    PublishOptions {
        raw: true,
        ..PublishOptions::default()
    }
}

#[test]
fn bytes_delivered_are_bytes_published() {
    let cases: &[(&str, &[u8])] = &[
        (
            "application/json",
            br#"{ "z": 1, "a": 0.1234567890123456789, "id": 12345678901234567890123 }"#,
        ),
        ("application/json", b"1e400"),
        ("application/json", b"null"),
        ("", b"null"),
        ("application/json", b" {\n}\t\n"),
        ("application/json", b"\"text\""),
        ("application/json", br#"{"a":1,"a":2}"#),
        ("Text/JSON; charset=utf-8", b"[1.10]"),
        ("application/json", b""),
        ("text/plain", b"null"),
        ("text/plain", b""),
        ("text/plain", "\u{0}ä\"\\\n".as_bytes()),
        ("text/plain; charset=latin1", &[0xe4]),
        ("application/octet-stream", b"{}"),
        ("application/jsonp", b"f({})"),
    ];
    for (content_type, data) in cases {
        for options in [PublishOptions::default(), raw()] {
            let opened = opened(&sealed(event(content_type, data), &options));
            assert_eq!(opened.event.data, *data, "{content_type}");
        }
    }
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    let opened = opened(&sealed(
        event("application/json", &deep),
        &PublishOptions::default(),
    ));
    assert_eq!(opened.event.data, deep);
}

#[test]
fn what_is_no_json_is_refused() {
    for (content_type, data) in [
        ("application/json", "{"),
        ("TEXT/json", "no"),
        ("a/b+JSON", "1 2"),
    ] {
        let event = event(content_type, data.as_bytes());
        let error = seal(
            &caller(),
            &keys(),
            scope("t"),
            event,
            &PublishOptions::default(),
        );
        assert!(error.unwrap_err().message().contains("is no JSON"));
    }
}

#[test]
fn an_event_is_as_it_was_published() {
    let published = Event {
        id: Some("7".into()),
        subject: Some("s\"".into()),
        ordering_key: Some("k".into()),
        extensions: vec![("tier".into(), "gold".into())],
        ..event("text/plain", b"data")
    };
    let opened = opened(&sealed(published.clone(), &PublishOptions::default()));
    assert_eq!(opened.event, published);
    assert_eq!((opened.source.as_str(), opened.expired), ("cart", false));
    assert!(opened.trace.is_some());
}

const FORGED: &[u8] = br#"{"specversion":"1.0","id":"1","type":"bank.paid","source":"bank","time":"1999-01-01T00:00:00Z","deadlettertopic":"x","tier":"gold","data":{"amount":1}}"#;

#[test]
fn an_envelope_of_anybody_else_has_no_source() {
    let check = |content_type: &str, is_open: bool| {
        let message = sealed(event(content_type, FORGED), &raw());
        let opened = opened(&message);
        assert_eq!((opened.source.as_str(), &opened.event.id), ("", &None));
        assert!(opened.trace.is_none() && opened.time.elapsed().unwrap().as_secs() < 3_600);
        let expected: &[u8] = if is_open { br#"{"amount":1}"# } else { FORGED };
        assert_eq!(opened.event.data, expected, "{content_type}");
        let tier: &[(String, String)] = &[("tier".into(), "gold".into())];
        assert_eq!(opened.event.extensions, if is_open { tier } else { &[] });
    };
    check("application/json", false);
    check("application/cloudevents+json", true);
    let outside = Message {
        data: Bytes::from_static(FORGED),
        ..Message::default()
    };
    assert_eq!(opened(&outside).event.kind, "bank.paid");
    assert_eq!(opened(&outside).source, "");
}

#[test]
fn a_seal_holds_for_one_key_and_one_topic_and_all_of_the_envelope() {
    let message = sealed(event("", b"{}"), &PublishOptions::default());
    let source = |seal: &Seal, topic: &str, message: &Message| {
        open(seal, scope(topic), message, false).source
    };
    assert_eq!(source(&keys(), "topic", &message), "cart");
    assert_eq!(source(&keys(), "topics", &message), "");
    assert_eq!(source(&Seal::new([8; 32]), "topic", &message), "");
    // Hosts with a secret of their own believe each other, and what they sealed before.
    let shared = |key, secret| Seal::new([key; 32]).sharing(derived(secret));
    let sent = seal(
        &caller(),
        &shared(1, "s"),
        scope("topic"),
        event("", b"{}"),
        &PublishOptions::default(),
    );
    let sent = sent.unwrap().1;
    assert_eq!(source(&shared(2, "s"), "topic", &sent), "cart");
    assert_eq!(source(&shared(1, "t"), "topic", &sent), "");
    let rotated = shared(1, "t").believing(derived("s"));
    assert_eq!(source(&rotated, "topic", &sent), "cart");
    assert_eq!(source(&shared(7, "t"), "topic", &message), "cart");
    let text = String::from_utf8(message.data.to_vec()).unwrap();
    let forged = Message {
        data: text.replace("cart", "bank").into(),
        ..message
    };
    assert_eq!(source(&keys(), "topic", &forged), "");
}

#[test]
fn no_app_sees_a_seal() {
    let message = sealed(event("", b"{}"), &PublishOptions::default());
    let opened = open(&keys(), scope("topic"), &message, true);
    let text = String::from_utf8(opened.event.data.to_vec()).unwrap();
    assert!(text.ends_with(r#","data":{}}"#), "{text}");
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    assert_eq!(opened.source, "");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock of events is the system's"
)]
fn expired(raw: bool, ttl: Duration) -> bool {
    let options = PublishOptions {
        raw,
        ttl: Some(ttl),
        ..PublishOptions::default()
    };
    let message = sealed(event("text/plain", b"x"), &options);
    std::thread::sleep(Duration::from_millis(5));
    let opened = opened(&message);
    assert_eq!(opened.event.extensions, []);
    opened.expired
}

#[test]
fn a_time_to_live_is_kept_with_and_without_an_envelope() {
    for raw in [false, true] {
        assert!(expired(raw, Duration::from_millis(1)));
        assert!(!expired(raw, Duration::from_secs(3_600)));
        assert!(!expired(raw, Duration::from_millis(u64::MAX)));
        assert!(!expired(raw, Duration::MAX));
    }
}

#[test]
fn what_is_the_hosts_cannot_be_given() {
    for name in ["wytheseal", "expiration", "deadletterreason", "tracestate"] {
        let mut event = event("", b"{}");
        event.extensions.push((name.into(), "x".into()));
        assert!(check(&event, &PublishOptions::default()).is_err(), "{name}");
    }
    let options = PublishOptions {
        metadata: vec![("expiration".into(), "x".into())],
        ..raw()
    };
    assert!(check(&event("", b"{}"), &options).is_err());
}

fn said(opened: &Opened) -> Vec<String> {
    let extensions = opened.event.extensions.iter();
    extensions
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of events is the system's"
)]
fn a_letter_says_why_and_keeps_no_expiry() {
    for raw in [false, true] {
        let options = PublishOptions {
            raw,
            ttl: Some(Duration::from_millis(1)),
            ..PublishOptions::default()
        };
        let message = sealed(event("application/json", b"1.10"), &options);
        std::thread::sleep(Duration::from_millis(5));
        let death = Death {
            reason: "no \"stock\"",
            attempts: 3,
        };
        let letter = bury(&keys(), scope("topic"), scope("dead"), &message, &death);
        let opened = open(&keys(), scope("dead"), &letter, false);
        assert!(!opened.expired);
        assert_eq!(opened.event.data, "1.10");
        assert_eq!(opened.source, if raw { "" } else { "cart" });
        let why = [
            "deadletterreason=no \"stock\"",
            "deadlettertopic=topic",
            "deadletterattempts=3",
        ];
        assert_eq!(said(&opened), why);
        let again = Death {
            reason: "still",
            attempts: 1,
        };
        let second = bury(&keys(), scope("dead"), scope("dead2"), &letter, &again);
        let second = open(&keys(), scope("dead2"), &second, false);
        assert_eq!(
            said(&second)[..2],
            ["deadletterreason=still", "deadlettertopic=dead"]
        );
        let back = revive(&keys(), scope("dead"), scope("topic"), &letter);
        let back = open(&keys(), scope("topic"), &back, false);
        assert_eq!(
            (said(&back), back.event.data),
            (vec![], Bytes::from("1.10"))
        );
    }
}

#[test]
fn a_reason_is_bounded() {
    let message = sealed(event("", b"{}"), &PublishOptions::default());
    let reason = "ä".repeat(1 << 20);
    let death = Death {
        reason: &reason,
        attempts: 1,
    };
    let letter = bury(&keys(), scope("topic"), scope("dead"), &message, &death);
    assert!(letter.data.len() < 8 << 10);
}
