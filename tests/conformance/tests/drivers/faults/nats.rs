//! NATS: what it says, and what of it is not as it should be.

mod batches;
mod made_up;

use super::{KINDS, Kinds, Test, made_up::Named, run};
use libtest_mimic::Trial;
use servers::{Nats, Server};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};
use wythe_blocks::{
    Error, Kind,
    pubsub::{Consumer, Driver, Message, SubscribeOptions},
    state::{Operation, Put},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("a_wrong_login_says_so", |kind, _| wrong_login(kind)),
    ("a_key_proves_a_user", |kind, _| keys(kind)),
    ("tls_that_does_not_fit_says_so", |kind, server| {
        tls(kind, &server);
    }),
    ("an_account_without_jetstream_says_so", |kind, _| {
        plain(kind)
    }),
    ("a_user_who_may_not_write_is_told_so", |kind, _| {
        forbidden(kind)
    }),
    ("servers_that_are_none_are_told_apart", |kind, _| {
        run(made_up::servers(kind))
    }),
    ("a_server_that_says_nothing_is_given_up", |kind, _| {
        run(made_up::silence(kind))
    }),
    ("a_batch_without_an_answer_is_unknown", |kind, _| {
        run(batches::unanswered(kind))
    }),
    ("a_bucket_without_batches_says_so", |kind, server| {
        run(batches::without(kind, server))
    }),
    ("a_bucket_with_a_history_is_refused", |kind, server| {
        run(history(kind, server))
    }),
    (
        "a_server_that_is_too_old_for_events_says_so",
        |kind, server| run(old(kind, server)),
    ),
];

pub(super) const EVENTS: &[(&str, Test)] = &[
    ("a_stream_that_does_not_fit_says_so", |kind, server| {
        run(streams(kind, server))
    }),
    ("letters_wait_for_the_first_group", |kind, server| {
        run(letters(kind, server))
    }),
    (
        "a_group_that_the_server_lost_begins_anew",
        |kind, server| run(renewed(kind, server)),
    ),
];

/// Those of transactions, which a server of the kind has from 2.12 on.
pub(super) fn trials() -> Vec<Trial> {
    let missing = Nats::check_batches().err();
    let is_older = missing.is_some();
    let tests: [Named; 2] = [
        ("transactions_are_whole_and_come_back", || {
            run(batches::whole(kind()))
        }),
        ("more_batches_than_the_server_has_wait", || {
            run(batches::many(kind()))
        }),
    ];
    let trials = super::made_up::of("nats", &tests, missing);
    let ignored = trials
        .into_iter()
        .map(|trial| trial.with_ignored_flag(is_older));
    ignored.collect()
}

fn kind() -> &'static Kinds {
    let found = KINDS.iter().find(|kind| kind.name == "nats");
    found.expect("it is in the list")
}

pub(super) fn metadata(block: &str, address: SocketAddr) -> String {
    let bucket = match block {
        "pubsub" => "",
        _ => ", { name: bucket, value: rows }",
    };
    let synced = Nats::syncs();
    format!(
        "{{ name: natsURL, value: \"nats://{address}\" }}, {{ name: syncAlways, value: {synced} }}{bucket}"
    )
}

async fn error(kind: &'static Kinds, address: SocketAddr, more: &str) -> Error {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = kind.state(address, directory.path(), more).await;
    opened.err().expect("an error")
}

/// The error of a transaction over a server that opens.
async fn error_of(kind: &'static Kinds, address: SocketAddr, operations: Vec<Operation>) -> Error {
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: timeout, value: 2s }";
    let driver = kind.state(address, directory.path(), more).await;
    let driver = driver.unwrap_or_else(|error| panic!("{}", error.chain()));
    driver.transact(operations).await.expect_err("an error")
}

async fn works(kind: &'static Kinds, address: SocketAddr, more: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = kind.state(address, directory.path(), more).await;
    let driver = driver.unwrap_or_else(|error| panic!("{}", error.chain()));
    driver.put(Put::new("a", "1")).await.expect("a put");
    driver.describe().expect("a description")
}

fn with(line: &str) -> Server {
    Server::start(Nats::default().with(line)).expect("a server")
}

fn wrong_login(kind: &'static Kinds) {
    let server = with("authorization { token: kept-secret }");
    run(async {
        let address = server.address();
        let none = error(kind, address, "").await;
        assert_eq!(none.kind(), Kind::Denied, "{none}");
        assert!(
            none.message().contains("wants a login: set `token`"),
            "{none}"
        );
        let wrong = error(kind, address, ", { name: token, value: wrong-secret }").await;
        assert_eq!(wrong.kind(), Kind::Denied, "{wrong}");
        let text = format!("{}{wrong:?}", wrong.chain());
        assert!(text.contains("refuses the login: check the user"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let described = works(kind, address, ", { name: token, value: kept-secret }").await;
        assert!(!described.contains("secret"), "{described}");
        let version = described.starts_with("NATS 2.");
        assert!(
            version && described.contains(&format!("at {address}")),
            "{described}"
        );
    });
}

/// The key of 32 bytes of 3: it is of no use elsewhere.
const SEED: &str = "SUAAGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGAYDAMBQGA6BEM";
const USER: &str = "UDWUSKGGFDI4FRXK5EBTRECZSVQSSWJHHJOGH6JWG3AUMFFMQ435C2U4";

fn keys(kind: &'static Kinds) {
    let server = with(&format!(
        "authorization {{ users: [ {{ nkey: {USER} }} ] }}"
    ));
    let seed = format!(", {{ name: seedKey, value: {SEED} }}");
    run(async {
        let denied = error(kind, server.address(), "").await;
        assert_eq!(denied.kind(), Kind::Denied, "{denied}");
        works(kind, server.address(), &seed).await;
    });
    let server = with(include_str!("nats/accounts.conf"));
    run(async {
        let jwt = include_str!("nats/user.jwt").trim();
        let more = format!("{seed}, {{ name: jwt, value: {jwt} }}");
        works(kind, server.address(), &more).await;
        let denied = error(kind, server.address(), &seed).await;
        assert_eq!(denied.kind(), Kind::Denied, "{denied}");
    });
}

fn certificates() -> String {
    format!("{}/../host/certificates", env!("CARGO_MANIFEST_DIR"))
}

fn tls(kind: &'static Kinds, plain: &Server) {
    let secure = |address: SocketAddr| {
        format!(
            ", {{ name: tls_ca_cert, value: ../host.pem }}, {{ name: name, value: \"{address}\" }}"
        )
    };
    let path = certificates();
    let server = with(&format!(
        "tls {{ cert_file: \"{path}/host.pem\", key_file: \"{path}/host.key\" }}"
    ));
    run(async {
        let address = server.address();
        // It is wanted by the server, and its certificate is signed by no authority of the web.
        let strange = error(kind, address, "").await;
        assert_eq!(strange.kind(), Kind::Unavailable, "{strange}");
        assert!(strange.message().contains("`tls_ca_cert`"), "{strange}");
        let pem = std::fs::read_to_string(format!("{path}/host.pem"));
        let pem = serde_json::Value::from(pem.expect("a certificate"));
        works(
            kind,
            address,
            &format!(", {{ name: tls_ca_cert, value: {pem} }}"),
        )
        .await;
        let missing = error(kind, address, &secure(address)).await;
        assert!(
            missing.message().contains("`tls_ca_cert` cannot be read"),
            "{missing}"
        );
        let more = format!(", {{ name: tls_ca_cert, value: {pem} }}");
        let without = error(kind, plain.address(), &more).await;
        assert!(
            without.message().contains("speaks no TLS on this port"),
            "{without}"
        );
    });
}

fn plain(kind: &'static Kinds) {
    let server = with(
        "accounts { plain: { users: [ { user: ada, password: secret } ] } }\nno_auth_user: ada",
    );
    run(async {
        let error = error(kind, server.address(), "").await;
        assert!(error.message().contains("JetStream"), "{error}");
        let expected = [Kind::Unsupported, Kind::Unavailable];
        assert!(expected.contains(&error.kind()), "{}", error.kind());
    });
}

fn forbidden(kind: &'static Kinds) {
    let server = with(
        "authorization { users: [ { user: ada, password: x, permissions: { publish: { deny: \"$KV.>\" } } } ] }\nno_auth_user: ada",
    );
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let driver = kind.state(server.address(), directory.path(), "").await;
        let driver = driver.expect("it opens");
        let error = driver.put(Put::new("a", "1")).await.expect_err("an error");
        assert_eq!(error.kind(), Kind::Denied, "{}", error.chain());
        assert!(error.message().contains("`$KV.rows.a`"), "{error}");
        driver.health().await.expect("the connection goes on");
    });
}

/// Asks the server by a call of its own, and returns the answer.
fn say(address: SocketAddr, subject: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let length = body.len();
    let text = format!(
        "CONNECT {{\"verbose\":false}}\r\nSUB answer 1\r\nPUB {subject} answer {length}\r\n{body}\r\n"
    );
    stream.write_all(text.as_bytes()).expect("it takes a call");
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("an answer");
        if let Some(size) = line.strip_prefix("MSG answer 1 ") {
            let mut answer = vec![0; size.trim().parse().expect("a size")];
            reader.read_exact(&mut answer).expect("an answer");
            return String::from_utf8(answer).expect("a text");
        }
    }
}

fn make(address: SocketAddr, name: &str, body: &str) {
    let answer = say(address, &format!("$JS.API.{name}"), body);
    assert!(!answer.contains("\"error\""), "{answer}");
}

async fn history(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let body = r#"{"name":"KV_rows","subjects":["$KV.rows.>"],"retention":"limits","max_msgs_per_subject":5,"storage":"file"}"#;
    make(address, "STREAM.CREATE.KV_rows", body);
    let error = error(kind, address, "").await;
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(
        error.message().contains("name one with `history: 1`"),
        "{error}"
    );
}

/// A server before 2.10 is refused; of a newer one pub/sub opens.
async fn old(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = kind.pubsub(server.address(), directory.path(), "").await;
    match (opened, Nats::check_streams()) {
        (Ok(driver), Ok(())) => assert!(driver.features().durable),
        (Err(error), Err(_)) => {
            assert_eq!(error.kind(), Kind::Unsupported);
            assert!(error.message().contains("older than 2.10"), "{error}");
        }
        (opened, missing) => panic!("{:?}, {missing:?}", opened.err()),
    }
}

async fn subscribe(driver: &dyn Driver, topic: &str) -> Result<Box<dyn Consumer>, Error> {
    driver
        .subscribe(topic, "group", SubscribeOptions::default())
        .await
}

fn message(text: &str) -> Message {
    Message {
        data: text.to_owned().into(),
        ..Message::default()
    }
}

async fn streams(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let directory = tempfile::tempdir().expect("a directory");
    let named = ", { name: streamName, value: orders }";
    let opened = kind.pubsub(address, directory.path(), named).await;
    let error = opened.err().expect("an error");
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(
        error.message().contains("has no stream `orders`"),
        "{error}"
    );
    let body = r#"{"name":"orders","subjects":["orders.*"],"retention":"limits","storage":"file"}"#;
    make(address, "STREAM.CREATE.orders", body);
    let driver = kind.pubsub(address, directory.path(), named).await;
    let driver = driver.expect("it opens");
    let consumer = subscribe(&*driver, "orders.eu").await.expect("a seat");
    driver
        .publish("orders.eu", message("1"))
        .await
        .expect("a publish");
    assert_eq!(
        consumer.pull(1).await.expect("messages")[0].message.data,
        "1"
    );
    for topic in ["other", "orders.eu.x"] {
        let error = driver.publish(topic, message("1")).await.expect_err(topic);
        assert_eq!(error.kind(), Kind::NotFound, "{error}");
        assert!(error.message().contains("has no subject"), "{error}");
        assert!(subscribe(&*driver, topic).await.is_err(), "{topic}");
    }
    let pushed = r#"{"stream_name":"orders","config":{"durable_name":"pushed","deliver_subject":"x","ack_policy":"explicit","filter_subject":"orders.us"}}"#;
    make(address, "CONSUMER.DURABLE.CREATE.orders.pushed", pushed);
    let durable = format!("{named}, {{ name: durableName, value: pushed }}");
    let driver = kind.pubsub(address, directory.path(), &durable).await;
    let error = subscribe(&*driver.expect("it opens"), "orders.us").await;
    let error = error.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(
        error.message().contains("to which the server pushes"),
        "{error}"
    );
}

async fn letters(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = kind.pubsub(server.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    for number in ["1", "2"] {
        driver
            .letter("dead", message(number))
            .await
            .expect("a letter");
    }
    let consumer = subscribe(&*driver, "dead").await.expect("a seat");
    let mut got = Vec::new();
    while got.len() < 2 {
        for one in consumer.pull(2).await.expect("messages") {
            got.push(one.message.data);
            let settled = consumer.ack(vec![one.receipt]).await;
            assert!(settled.iter().all(Result::is_ok));
        }
    }
    assert_eq!(got, ["1", "2"]);
    let other = driver
        .subscribe("dead", "other", SubscribeOptions::default())
        .await;
    let other = other.expect("a seat");
    let quiet = tokio::time::timeout(Duration::from_millis(500), other.pull(1)).await;
    assert!(quiet.is_err(), "letters are for the first group");
}

async fn renewed(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = kind.pubsub(server.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    let consumer = subscribe(&*driver, "topic").await.expect("a seat");
    make(server.address(), "STREAM.DELETE.wythe_topic", "");
    // The reader finds out once it looks; whoever publishes meanwhile finds no group.
    let received = loop {
        driver
            .publish("topic", message("2"))
            .await
            .expect("a publish");
        let pulled = tokio::time::timeout(Duration::from_millis(500), consumer.pull(1)).await;
        if let Ok(Ok(received)) = pulled {
            break received;
        }
    };
    assert_eq!(received[0].message.data, "2");
}
