//! Settings as they are written, and what is made of them.

use super::*;
use wythe_blocks::Error;

fn host(text: &str) -> Result<(String, u16), String> {
    address(text, PORT).map_err(|wrong| Error::from(wrong).message().to_owned())
}

#[test]
fn a_host_has_a_port_or_the_usual_one() {
    let good = [
        ("localhost", ("localhost", 6379)),
        ("localhost:7000", ("localhost", 7000)),
        (" redis.example.org:1 ", ("redis.example.org", 1)),
        ("[::1]:7000", ("::1", 7000)),
        ("[::1]", ("::1", 6379)),
        ("::1", ("::1", 6379)),
    ];
    for (text, (name, port)) in good {
        assert_eq!(host(text), Ok((name.to_owned(), port)), "{text}");
    }
    for text in ["", ":1", "a:b", "a:70000", "a b"] {
        let expected = "redisHost: expected `host:port`";
        assert_eq!(host(text), Err(expected.to_owned()), "{text}");
    }
    for text in ["redis://localhost", "rediss://:secret@host:1", "user@host"] {
        let error = host(text).expect_err("a URL is none");
        assert!(error.contains("no URL"), "{text}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn equal_connections_are_equal_and_others_are_not() {
    let target = |password: &str, database| Target {
        hosts: vec![("a".to_owned(), 1)],
        database,
        login: login(None, Some(Secret::new(password))),
        sentinel: None,
        connect: CONNECT,
        call: CALL,
        tls: None,
    };
    assert!(target("x", 0) == target("x", 0));
    assert!(target("x", 0) != target("y", 0));
    assert!(target("x", 0) != target("x", 1));
    assert!(
        target("", 0).login.password.is_none(),
        "none, as `dapr init` writes it"
    );
}

#[test]
fn a_time_to_live_of_0_is_none() {
    let ttl = |seconds: u64| {
        let config = serde_json::json!({ "redisHost": "localhost", "ttlInSeconds": seconds });
        let config = serde_json::from_value(config).expect("a config");
        parse_state(config).map_err(Error::from).unwrap().ttl
    };
    assert_eq!(ttl(0), None);
    assert_eq!(ttl(5), Some(Duration::from_secs(5)));
}
