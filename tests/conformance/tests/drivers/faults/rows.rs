//! The rows of a database as Dapr has them, both ways, and rows that nobody expects.

use super::{Kinds, Test, run};
use crate::open::site;
use servers::Server;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};
use wythe_blocks::{
    Kind,
    lock::Acquired,
    pubsub::SubscribeOptions,
    state::{Condition, Delete, Put},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("rows_of_dapr_are_read_and_written", |kind, server| {
        run(of_dapr(kind, server))
    }),
    (
        "locks_and_events_are_where_dapr_has_them",
        |kind, server| run(locks_and_events(kind, server)),
    ),
    ("a_row_of_another_type_is_left_alone", |kind, server| {
        run(strange(kind, server))
    }),
];

/// Says something to the server as `redis-cli` would, and returns all that it answers.
pub(super) fn say(address: SocketAddr, line: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let text = format!("{line}\r\nQUIT\r\n");
    stream.write_all(text.as_bytes()).expect("a line");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
        .trim_end()
        .trim_end_matches("+OK")
        .trim_end()
        .to_owned()
}

async fn of_dapr(kind: &'static Kinds, server: Server) {
    let (directory, address) = (tempfile::tempdir().expect("a directory"), server.address());
    // What Dapr wrote before there was an index of keys.
    say(address, r#"HSET golden||k data "{\"a\":1}" version 1"#);
    say(address, r#"HSET golden||t data "\"x\"" version 7"#);
    say(address, "PEXPIRE golden||t 100000");
    say(address, "HSET stranger field value");
    let driver = kind
        .state(address, directory.path(), "")
        .await
        .expect("it opens");
    let entry = driver.get(&"golden||k".into()).await.expect("an answer");
    let entry = entry.expect("an entry");
    assert_eq!(
        (&entry.value[..], entry.etag.as_str()),
        (&b"{\"a\":1}"[..], "1")
    );
    let listed = driver.list("", None, 10).await.expect("a page");
    let keys: Vec<_> = listed.entries.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["golden||k", "golden||t"]);
    assert!(listed.entries[1].1.expires.is_some());
    let mut put = Put::new("golden||t", "2");
    put.options.condition = Condition::Matches("7".into());
    let etag = driver.put(put).await.expect("a put");
    let row = say(address, "HMGET golden||t data version");
    assert_eq!(row, format!("*2\r\n$1\r\n2\r\n$1\r\n{etag}"));
    assert_eq!(say(address, "PTTL golden||t"), ":-1");
    // An entry that comes after a deleted one has a version that none had before, Dapr's neither.
    say(address, "HSET golden||k version 50");
    let delete = Delete {
        key: "golden||k".into(),
        condition: Condition::Always,
    };
    driver.delete(delete).await.expect("a delete");
    let again = driver.put(Put::new("golden||k", "3")).await.expect("a put");
    assert_eq!(again, "51");
}

async fn locks_and_events(kind: &'static Kinds, server: Server) {
    let (directory, address) = (tempfile::tempdir().expect("a directory"), server.address());
    let registry = wythe_drivers::registry();
    let component = kind.subject("lock", address, "");
    let locks = registry.lock.open(&component, site(directory.path())).await;
    let locks = locks.expect("it opens");
    say(address, "SET lock||golden||r me PX 100000");
    let minute = Duration::from_secs(60);
    let held = locks
        .acquire(&"lock||golden||r".into(), "app", minute)
        .await;
    assert!(matches!(held, Ok(Acquired::Held { expires: Some(_) })));
    let granted = locks
        .acquire(&"lock||golden||s".into(), "app", minute)
        .await;
    let Ok(Acquired::Granted(grant)) = granted else {
        panic!("{granted:?}");
    };
    let row = say(address, "GET lock||golden||s");
    assert!(row.ends_with(&format!("app||{}", grant.token)), "{row}");
    // Dapr takes a lock by `SET .. NX`.
    assert_eq!(say(address, "SET lock||golden||s other NX PX 1000"), "$-1");
    let events = kind
        .pubsub(address, directory.path(), "")
        .await
        .expect("it opens");
    let consumer = events
        .subscribe("t", "group", SubscribeOptions::default())
        .await;
    let consumer = consumer.expect("a consumer");
    say(address, r#"XADD t * data "{\"id\":\"1\"}" metadata "{}""#);
    let received = consumer.pull(1).await.expect("an event");
    assert_eq!(received[0].message.data, "{\"id\":\"1\"}");
    assert_eq!(
        received[0].message.content_type,
        "application/cloudevents+json"
    );
}

async fn strange(kind: &'static Kinds, server: Server) {
    let (directory, address) = (tempfile::tempdir().expect("a directory"), server.address());
    let driver = kind
        .state(address, directory.path(), "")
        .await
        .expect("it opens");
    say(address, "SET text value");
    let expected = "`text` is a row of another type in the server";
    let errors = [
        driver.get(&"text".into()).await.err(),
        driver.put(Put::new("text", "1")).await.err(),
        driver.increment(&"text".into(), 1).await.err(),
    ];
    for error in errors.map(|error| error.expect("an error")) {
        assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
        assert!(error.message().contains(expected), "{}", error.message());
    }
    assert_eq!(say(address, "GET text"), "$5\r\nvalue");
}
