//! Memcached: what it forgets, what of it is not as it should be, and keys and values that look like commands.

mod made_up;

use super::{Kinds, Test, check, run};
use servers::{Memcached, Server};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};
use wythe_blocks::{
    Error, Kind,
    state::{Condition, Delete, Driver, Put},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("no_key_and_no_value_is_a_command", |kind, server| {
        run(commands(kind, server))
    }),
    ("rows_of_dapr_are_read_and_written", |kind, server| {
        run(of_dapr(kind, server))
    }),
    ("no_etag_comes_back_after_a_restart", |kind, server| {
        run(lives(kind, server))
    }),
    ("each_of_several_servers_has_its_keys", |kind, server| {
        run(several(kind, server))
    }),
    ("a_server_without_room_says_so", |kind, _| run(full(kind))),
    ("a_server_that_does_not_fit_says_so", |kind, _| {
        run(unfit(kind))
    }),
    ("servers_that_are_none_are_told_apart", |kind, _| {
        run(made_up::servers(kind))
    }),
    ("an_answer_without_end_is_not_read", |kind, _| {
        run(made_up::endless(kind))
    }),
    ("a_closed_store_is_unavailable", |kind, server| {
        run(closed(kind, server))
    }),
];

async fn open(kind: &'static Kinds, address: SocketAddr) -> Arc<dyn Driver> {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = kind.state(address, directory.path(), "").await;
    driver.expect("it opens")
}

/// The error with which a store does not open.
async fn error(kind: &'static Kinds, address: SocketAddr, more: &str) -> Error {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = kind.state(address, directory.path(), more).await;
    opened.err().expect("an error")
}

/// Says something to a server, and returns all that it answers.
fn say(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let text = format!("{text}\r\nquit\r\n");
    stream.write_all(text.as_bytes()).expect("a line");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.trim_end().to_owned()
}

async fn commands(kind: &'static Kinds, server: Server) {
    let driver = open(kind, server.address()).await;
    let long = "k".repeat(251);
    let keys = [
        "here",
        "a b",
        "a\r\nflush_all\r\nb",
        "\nflush_all",
        "a\0b",
        "a\tb",
        "key 0 0 1",
        "wythe:",
        &long,
        "\u{7f}",
    ];
    let value = "flush_all\r\nset here 0 0 5\r\nother\r\nmd here\r\n";
    for key in keys {
        driver.put(Put::new(key, value)).await.expect("a put");
    }
    odd_etags(&*driver).await;
    let mut put = Put::new("typed", value);
    put.options.content_type = Some("text/\r\nflush_all".to_owned());
    driver.put(put).await.expect("a put");
    for key in keys.into_iter().chain(["typed"]) {
        let entry = driver.get(&key.into()).await.expect("an answer");
        assert_eq!(entry.expect("an entry").value, value, "{key:?}");
    }
    for key in keys {
        let delete = Delete {
            key: key.into(),
            condition: Condition::Always,
        };
        driver.delete(delete).await.expect("a delete");
        assert_eq!(driver.get(&key.into()).await.expect("an answer"), None);
    }
}

async fn odd_etags(driver: &dyn Driver) {
    let etag = Condition::Matches("1\r\nflush_all".to_owned());
    let delete = Delete {
        key: "here".into(),
        condition: etag.clone(),
    };
    let lost = driver.delete(delete).await.expect_err("no such etag");
    assert_eq!(lost.kind(), Kind::Conflict);
    let mut put = Put::new("here", "other");
    put.options.condition = etag;
    let lost = driver.put(put).await.expect_err("no such etag");
    assert_eq!(lost.kind(), Kind::Conflict);
}

async fn of_dapr(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let driver = open(kind, address).await;
    say(address, "set golden||k 0 0 7\r\n{\"a\":1}");
    let entry = driver.get(&"golden||k".into()).await.expect("an answer");
    let entry = entry.expect("an entry");
    assert_eq!((&entry.value[..], entry.expires), (&b"{\"a\":1}"[..], None));
    let mut put = Put::new("golden||k", "2");
    put.options.condition = Condition::Matches(entry.etag);
    driver.put(put).await.expect("a put");
    let row = say(address, "get golden||k");
    assert_eq!(row, "VALUE golden||k 0 1\r\n2\r\nEND");
    say(address, "set golden||t 0 100 3\r\n\"x\"");
    let entry = driver.get(&"golden||t".into()).await.expect("an answer");
    assert!(entry.expect("an entry").expires.is_some());
    // What Dapr has not is not in the value, but for a content type that few have.
    let mut put = Put::new("golden||t", "{}");
    put.options.ttl = Some(Duration::from_secs(60));
    put.options.content_type = Some("application/json".to_owned());
    driver.put(put).await.expect("a put");
    let row = say(address, "mg golden||t v t");
    assert!(row == "VA 2 t62\r\n{}" || row == "VA 2 t61\r\n{}", "{row}");
    let described = driver.describe().expect("a description");
    assert!(described.starts_with("memcached 1."), "{described}");
    let expected = format!(" at {address}, not durable");
    assert!(described.ends_with(&expected), "{described}");
}

/// The numbers of a server begin anew when it does.
async fn lives(kind: &'static Kinds, server: Server) {
    let driver = open(kind, server.address()).await;
    let before = driver.put(Put::new("a", "1")).await.expect("a put");
    // Two lives of one second would be told apart by the process alone.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    server.restart();
    let after = loop {
        match driver.put(Put::new("a", "2")).await {
            Ok(after) => break after,
            Err(error) => check(&error),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let number = |etag: &str| etag.split('-').next().map(str::to_owned);
    assert_eq!(number(&before), number(&after), "both were the first");
    let mut put = Put::new("a", "3");
    put.options.condition = Condition::Matches(before);
    let lost = driver.put(put).await.expect_err("it is gone");
    assert_eq!(lost.kind(), Kind::Conflict);
}

async fn several(kind: &'static Kinds, first: Server) {
    let second = Server::start(Memcached::default()).expect("one more server");
    let hosts = [first.address(), second.address()];
    let metadata = format!(
        "[{{ name: hosts, value: \"{}, {}\" }}, {{ name: timeout, value: 500 }}]",
        hosts[0], hosts[1]
    );
    let registry = wythe_drivers::registry();
    let directory = tempfile::tempdir().expect("a directory");
    let component = crate::open::component("state", kind.driver, &metadata);
    let site = crate::open::site(directory.path());
    let driver = registry.state.open(&component, site.clone()).await;
    let driver = driver.expect("it opens");
    let keys: Vec<_> = (0..40).map(|number| format!("key{number}")).collect();
    for key in &keys {
        driver.put(Put::new(key, "1")).await.expect("a put");
    }
    let here = |address, key: &str| say(address, &format!("get {key}")) != "END";
    let of_first: Vec<_> = keys.iter().map(|key| here(hosts[0], key)).collect();
    for (key, is_first) in keys.iter().zip(&of_first) {
        assert_ne!(here(hosts[1], key), *is_first, "{key} is in one place");
    }
    assert!(of_first.contains(&true) && of_first.contains(&false));
    second.kill();
    for (key, is_first) in keys.iter().zip(&of_first) {
        let read = driver.get(&key.into()).await;
        match is_first {
            true => assert!(read.expect("an answer").is_some(), "{key}"),
            // Nobody else takes its place, for it would be another entry.
            false => check(&read.expect_err("its server is gone")),
        }
    }
    assert!(driver.health().await.is_err());
    let opened = registry.state.open(&component, site).await;
    let error = opened.err().expect("one is gone");
    let expected = format!("memcached at {}: ", hosts[1]);
    assert!(error.message().starts_with(&expected), "{error}");
    second.restart();
    while driver.health().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn full(kind: &'static Kinds) {
    let server = Server::start(Memcached::default().with(&["-M", "-m", "4"]));
    let server = server.expect("a server");
    let driver = open(kind, server.address()).await;
    let mut number = 0;
    let error = loop {
        let put = Put::new(format!("key{number}"), vec![7; 100_000]);
        match driver.put(put).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
        assert!(number < 1_000, "it takes more than it has room for");
    };
    assert_eq!(error.kind(), Kind::Exhausted, "{}", error.chain());
    assert!(
        error.message().contains("no memory left for `key"),
        "{error}"
    );
    let entry = driver.get(&"key0".into()).await.expect("an answer");
    assert!(entry.is_some(), "it forgets nothing");
}

async fn unfit(kind: &'static Kinds) {
    let directory = tempfile::tempdir().expect("a directory");
    let users = directory.path().join("users");
    std::fs::write(&users, "ada:lovelace\n").expect("a file");
    let users = users.to_string_lossy().into_owned();
    let cases: [(&[&str], Kind, &str); 2] = [
        (&["-C"], Kind::Unsupported, "start it without `-C`"),
        (&["-Y", &users], Kind::Denied, "wants a login"),
    ];
    // The user of the server reads the file.
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(directory.path(), readable).expect("a mode");
    for (arguments, expected, words) in cases {
        let server = Server::start(Memcached::default().with(arguments)).expect("a server");
        let error = error(kind, server.address(), "").await;
        assert_eq!(error.kind(), expected, "{}", error.chain());
        assert!(error.message().contains(words), "{error}");
        let named = format!("memcached at {}: ", server.address());
        assert!(error.message().starts_with(&named), "{error}");
    }
}

async fn closed(kind: &'static Kinds, server: Server) {
    let driver = open(kind, server.address()).await;
    driver.put(Put::new("a", "1")).await.expect("a put");
    driver.close().await.expect("it closes");
    let errors = [
        driver.get(&"a".into()).await.err(),
        driver.put(Put::new("a", "2")).await.err(),
        driver.health().await.err(),
    ];
    for error in errors {
        assert_eq!(error.expect("an error").kind(), Kind::Unavailable);
    }
    let driver = open(kind, server.address()).await;
    assert!(driver.get(&"a".into()).await.expect("an answer").is_some());
}
