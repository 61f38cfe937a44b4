//! Refusals of the server, by name.

use super::{binding, error, join, message, opened};
use servers::Server;
use wythe_blocks::{Kind, pubsub::SubscribeOptions};

/// A queue or an exchange with other properties, names of the server's own, settings that do not fit.
pub(super) async fn properties(server: Server) {
    let address = server.address();
    let driver = opened(address, "").await;
    drop(join(&*driver, &[]).await);
    let classic = ", { name: queueType, value: classic }";
    let other = opened(address, classic).await;
    let joined = other.subscribe("topic", "group", SubscribeOptions::default());
    let refused = joined.await.err().expect("an error");
    assert_eq!(refused.kind(), Kind::Conflict);
    let expected = "the server has the queue `group-topic` with other properties than these settings (PRECONDITION_FAILED)";
    assert!(refused.message().starts_with(expected), "{refused}");
    let routing = opened(address, ", { name: exchangeKind, value: direct }").await;
    let refused = routing.publish("topic", message("x")).await;
    let refused = refused.expect_err("an error");
    assert_eq!(refused.kind(), Kind::Conflict);
    let expected = "the server has the exchange `topic` with other properties";
    assert!(refused.message().starts_with(expected), "{refused}");
    let own = driver.publish("amq.fanout", message("x")).await;
    assert_eq!(own.err().map(|error| error.kind()), Some(Kind::Invalid));
    let long = driver.publish(&"t".repeat(256), message("x")).await;
    assert_eq!(long.err().map(|error| error.kind()), Some(Kind::Invalid));
    for (more, expected) in [
        ("autoAck, value: \"true\"", "autoAck: expected false"),
        (
            "requeueInFailure, value: \"false\"",
            "requeueInFailure: expected true",
        ),
        (
            "hostname, value: x",
            "hostname: the connection string has it already",
        ),
        ("caCert, value: x", "caCert: expected `amqps` beside it"),
        ("saslExternal, value: \"true\"", "needs `amqps`"),
        ("prefetchCount, value: 5000", "expected 0 to 2000"),
        ("deliveryMode, value: 3", "expected 0, 1 or 2"),
        ("exchangeKind, value: headers", "exchangeKind"),
        ("queueName, value: x", "queueName"),
    ] {
        let error = error(address, &format!(", {{ name: {more} }}")).await;
        assert!(error.message().contains(expected), "{more}: {error}");
    }
}

pub(super) async fn logins(server: Server) {
    let address = server.address();
    let wrong = |user: &str| {
        format!(", {{ name: username, value: {user} }}, {{ name: password, value: kept-secret }}")
    };
    let refused = error(address, &wrong("ada")).await;
    assert_eq!(refused.kind(), Kind::Denied);
    let text = format!("{}{refused:?}", refused.chain());
    assert!(text.contains("check `username` and `password`"), "{text}");
    assert!(!text.contains("kept-secret"), "{text}");
    assert!(text.contains(&address.to_string()), "{text}");
    let nowhere = error(address, ", { name: vhost, value: nowhere }").await;
    assert_eq!(nowhere.kind(), Kind::Denied);
    let expected = "no virtual host `nowhere` for this user (NOT_ALLOWED)";
    assert!(nowhere.message().contains(expected), "{nowhere}");
    // Whoever may read everything and make nothing.
    let reader = ", { name: username, value: reader }, { name: password, value: reader }";
    let driver = opened(address, reader).await;
    let denied = driver.publish("topic", message("x")).await;
    let denied = denied.expect_err("an error");
    assert_eq!(denied.kind(), Kind::Denied, "{}", denied.chain());
    let expected = "the user may not do that with the exchange `topic` (ACCESS_REFUSED)";
    assert!(denied.message().starts_with(expected), "{denied}");
    drop(join(&*opened(address, "").await, &[]).await);
    let binding = binding(address, ", { name: queueName, value: q }").await;
    assert!(binding.is_ok());
    let joined = driver.subscribe("topic", "group", SubscribeOptions::default());
    let denied = joined.await.err().expect("an error");
    assert_eq!(denied.kind(), Kind::Denied, "{}", denied.chain());
}
