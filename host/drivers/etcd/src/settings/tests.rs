//! Settings that fit, and those that do not.

use super::*;
use serde_json::{Value, json};
use wythe_blocks::Error;

fn parsed(config: Value) -> Result<Parsed, String> {
    let config: Config = serde_json::from_value(config).map_err(|error| error.to_string())?;
    parse_items(config).map_err(|wrong| Error::from(wrong).message().to_owned())
}

fn addresses(config: Value) -> Vec<String> {
    let parsed = parsed(config).ok().unwrap();
    parsed.target.servers.iter().map(Url::to_string).collect()
}

#[test]
fn addresses_have_a_scheme_and_a_port() {
    let plain = json!({ "endpoints": "a:1, http://b,10.0.0.1:80", "keyPrefixPath": "p" });
    assert_eq!(
        addresses(plain),
        ["http://a:1/", "http://b:2379/", "http://10.0.0.1/"]
    );
    let secure = json!({ "endpoints": "a:1,[::1]:7", "keyPrefixPath": "p", "tlsEnable": true });
    assert_eq!(addresses(secure), ["https://a:1/", "https://[::1]:7/"]);
    let named = json!({ "endpoints": "https://a:443", "keyPrefixPath": "p" });
    assert_eq!(addresses(named), ["https://a/"]);
}

/// Settings beside one address and a prefix, and what is said of them.
const WRONG: &[(&str, &str)] = &[
    (
        r#"{"keyPrefixPath":""}"#,
        "keyPrefixPath: expected the beginning",
    ),
    (r#"{"endpoints":" , "}"#, "expected 1 to 32 addresses"),
    (r#"{"endpoints":"a:1/v3"}"#, "without a user, a path"),
    (r#"{"endpoints":"ftp://a"}"#, "expected addresses"),
    (
        r#"{"endpoints":"https://a,http://b"}"#,
        "at all of them, or at none",
    ),
    (
        r#"{"endpoints":"http://a","tlsEnable":true}"#,
        "expected `https://`",
    ),
    (
        r#"{"endpoints":"https://a","tlsEnable":false}"#,
        "expected `http://`",
    ),
    (r#"{"ca":"-----BEGIN X"}"#, "ca: expected `tlsEnable: true`"),
    (
        r#"{"ca":"file.pem","tlsEnable":true}"#,
        "ca: expected the text",
    ),
    (
        r#"{"key":"k","tlsEnable":true}"#,
        "expected `cert` beside it",
    ),
    (
        r#"{"cert":"-----BEGIN X","tlsEnable":true}"#,
        "expected `key` beside it",
    ),
    (r#"{"username":"ada"}"#, "expected `password` beside it"),
    (r#"{"password":"x"}"#, "expected `username` beside it"),
    (r#"{"maxTxnOps":0}"#, "maxTxnOps: expected 1 to"),
    (r#"{"maxRequestBytes":1}"#, "maxRequestBytes: expected"),
    (r#"{"timeout":"1ms"}"#, "timeout: expected"),
    (r#"{"version":"v2"}"#, "unknown field"),
];

#[test]
fn what_does_not_fit_says_so() {
    let with = |more: &str| {
        let mut config = json!({ "endpoints": "a:1", "keyPrefixPath": "p" });
        let more: serde_json::Map<String, Value> = serde_json::from_str(more).unwrap();
        config.as_object_mut().unwrap().extend(more);
        config
    };
    for (more, expected) in WRONG {
        let error = parsed(with(more)).err().unwrap();
        assert!(error.contains(expected), "{error}");
    }
    assert!(
        parsed(json!({}))
            .err()
            .unwrap()
            .contains("missing field `endpoints`")
    );
    let locks: Config = serde_json::from_value(with(r#"{"maxTxnOps":7}"#)).unwrap();
    assert!(parse_locks(locks).is_err());
}

#[test]
fn a_password_without_tls_is_warned_of() {
    let warned = |address: &str, user: &str| {
        let login = json!({ "endpoints": address, "keyPrefixPath": "p", "username": user, "password": "x" });
        let none = json!({ "endpoints": address, "keyPrefixPath": "p" });
        let parsed = parsed(if user.is_empty() { none } else { login });
        !warnings(&parsed.ok().unwrap()).is_empty()
    };
    assert!(warned("etcd.example.com", "ada"));
    assert!(!warned("https://etcd.example.com", "ada"));
    assert!(!warned("127.0.0.1", "ada") && !warned("etcd.example.com", ""));
}
