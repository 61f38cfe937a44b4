//! Settings as they are written, and what is made of them.

use super::*;
use serde_json::{Value, json};
use wythe_blocks::Error as HostError;

fn parsed(more: Value) -> Result<Parsed, String> {
    let mut whole = json!({ "brokers": "localhost" });
    for (key, value) in more.as_object().expect("an object") {
        whole[key] = value.clone();
    }
    let config = serde_json::from_value(whole).map_err(|error| error.to_string())?;
    parse(config).map_err(|wrong| HostError::from(wrong).message().to_owned())
}

#[test]
fn brokers_are_named_with_ports_or_without() {
    let cases = [
        ("localhost", "localhost:9092"),
        ("a:1, b", "a:1, b:9092"),
        ("[::1]:7,[::2]", "[::1]:7, [::2]:9092"),
    ];
    for (text, expected) in cases {
        let target = parsed(json!({ "brokers": text })).expect(text).target;
        assert_eq!(target.address(), expected);
    }
    for text in ["", ",", "a:b", "a:70000", "user@a", "a,,b", "kafka://a"] {
        assert!(parsed(json!({ "brokers": text })).is_err(), "{text}");
    }
}

#[test]
fn a_login_is_as_dapr_writes_it() {
    let login = |more: Value| {
        let mut login = json!({ "authType": "password", "saslUsername": "ada",
            "saslPassword": "secret", "saslMechanism": "SHA-512" });
        for (key, value) in more.as_object().expect("an object") {
            login[key] = value.clone();
        }
        parsed(login).expect("a login")
    };
    let target = login(json!({})).target;
    assert!(target.tls.is_some(), "TLS unless it is refused");
    assert_eq!(target.login.expect("a login").mechanism, Mechanism::Sha512);
    let open = login(json!({ "disableTls": true }));
    assert!(open.target.tls.is_none() && warnings(&open).is_empty());
    let away = login(json!({ "disableTls": true, "brokers": "a" }));
    assert_eq!(warnings(&away).len(), 1);
    let old = json!({ "authRequired": true, "saslUsername": "a", "saslPassword": "b" });
    let old = parsed(old).expect("a login").target.login;
    assert_eq!(old.expect("a login").mechanism, Mechanism::Plain);
}

#[test]
fn what_cannot_be_kept_is_refused_by_its_name() {
    let cases = [
        (json!({ "authType": "oidc" }), "authType"),
        (json!({ "authType": "password" }), "saslUsername"),
        (
            json!({ "authType": "mtls", "disableTls": true }),
            "disableTls",
        ),
        (json!({ "caCert": "x" }), "caCert"),
        (json!({ "skipVerify": true }), "skipVerify"),
        (
            json!({ "consumeRetryEnabled": false }),
            "consumeRetryEnabled",
        ),
        (json!({ "compression": "brotli" }), "compression"),
        (json!({ "version": "0.10.2.0" }), "version"),
        (json!({ "version": "x" }), "version"),
        (json!({ "initialOffset": "first" }), "initialOffset"),
        (json!({ "maxMessageBytes": "1" }), "maxMessageBytes"),
        (json!({ "namePrefix": "a b" }), "namePrefix"),
        (json!({ "channelBufferSize": 0 }), "channelBufferSize"),
        (json!({ "sessionTimeout": "1" }), "sessionTimeout"),
        (
            json!({ "consumerGroupRebalanceStrategy": "sticky" }),
            "consumerGroupRebalanceStrategy",
        ),
        (json!({ "colour": "blue" }), "colour"),
    ];
    for (pairs, name) in cases {
        let error = parsed(pairs).err().unwrap_or_else(|| panic!("{name}"));
        assert!(error.contains(name), "{name}: {error}");
    }
}

#[test]
fn a_member_says_that_it_is_there_three_times_in_its_session() {
    let reading = |more| parsed(more).expect("settings").reading;
    let short = reading(json!({ "sessionTimeout": "3000" }));
    let second = Duration::from_secs(1);
    assert_eq!((short.session, short.heartbeat), (3 * second, second));
    assert_eq!(reading(json!({})).heartbeat, HEARTBEAT);
}
