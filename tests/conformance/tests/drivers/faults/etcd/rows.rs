//! Rows as others see them, bounds, and what outlives a server.

use super::{Kinds, check, works};
use crate::open::site;
use servers::{Etcd, Server};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Kind,
    configuration::{self, NewItem},
    lock::Acquired,
    state::{Condition, Operation, Put},
};

fn puts(count: usize, bytes: usize) -> Vec<Operation> {
    let put = |number| Operation::Put(Put::new(format!("k{number}"), vec![b'x'; bytes]));
    (0..count).map(put).collect()
}

pub(super) async fn bounds(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let driver = works(kind, address, "").await;
    driver.transact(puts(128, 1)).await.expect("all of them");
    for (operations, expected) in [
        (
            puts(129, 1),
            "a transaction of 129 operations; at most 128 are allowed",
        ),
        (
            puts(3, 600_000),
            "at most 1572864 are allowed in one request",
        ),
    ] {
        let error = driver.transact(operations).await.expect_err(expected);
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains(expected), "{error}");
    }
    let more = ", { name: maxTxnOps, value: 1000 }, { name: maxRequestBytes, value: 9000000 }";
    let driver = works(kind, address, more).await;
    for (operations, expected) in [
        (puts(129, 1), "`maxTxnOps` is more than its `--max-txn-ops`"),
        (
            puts(1, 1_600_000),
            "`maxRequestBytes` is more than its `--max-request-bytes`",
        ),
    ] {
        let error = driver.transact(operations).await.expect_err(expected);
        assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
        assert!(error.message().contains(expected), "{error}");
    }
    assert!(driver.get(&"k128".into()).await.expect("a get").is_none());
}

/// Puts a row as `etcdctl` would; key and value are in base64.
fn put(address: SocketAddr, key: &str, value: &str) {
    let body = format!(r#"{{"key":"{key}","value":"{value}"}}"#);
    let answer = Etcd::ask(address, "", "/v3/kv/put", &body);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

pub(super) async fn of_dapr(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let driver = works(kind, address, "").await;
    // `rows/golden||k` with `"x"` of the second layout, and `rows/old` with `{"a":1}` of the first.
    put(
        address,
        "cm93cy9nb2xkZW58fGs=",
        "CgMieCISDAiAr47NBhDSvqyKARoA",
    );
    put(address, "cm93cy9vbGQ=", "eyJhIjoxfQ==");
    let entry = driver.get(&"golden||k".into()).await.expect("a get");
    let entry = entry.expect("an entry");
    assert_eq!((&entry.value[..], entry.expires), (&b"\"x\""[..], None));
    let mut next = Put::new("golden||k", "\"y\"");
    next.options.condition = Condition::Matches(entry.etag);
    let etag = driver.put(next).await.expect("a put");
    let row = Etcd::ask(
        address,
        "",
        "/v3/kv/range",
        r#"{"key":"cm93cy9nb2xkZW58fGs="}"#,
    );
    // The value comes first, then the time.
    assert!(row.contains("\"value\":\"CgMieSIS"), "{row}");
    assert!(
        row.contains(&format!("\"mod_revision\":\"{etag}\"")),
        "{row}"
    );
    let errors = [
        driver.get(&"old".into()).await.err(),
        driver.put(Put::new("old", "1")).await.err(),
        driver.increment(&"old".into(), 1).await.err(),
    ];
    for error in errors.map(|error| error.expect("an error")) {
        assert_eq!(error.kind(), Kind::Invalid, "{}", error.chain());
        assert!(
            error.message().contains("or Dapr's first layout"),
            "{error}"
        );
    }
    let page = driver.list("", None, 10).await.expect("a page");
    let keys: Vec<_> = page.entries.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["a", "golden||k"]);
}

pub(super) async fn leases(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let driver = works(kind, address, "").await;
    let lasting = |key: &str| {
        let mut put = Put::new(key, "1");
        put.options.ttl = Some(Duration::from_secs(3_600));
        put
    };
    for key in ["one", "two", "three", "four"] {
        driver.put(lasting(key)).await.expect("a put");
    }
    let answer = Etcd::ask(address, "", "/v3/lease/leases", "{}");
    let ids = answer.split("\"ID\":\"").skip(1);
    let ids: Vec<_> = ids.filter_map(|rest| rest.split('"').next()).collect();
    assert!((1..4).contains(&ids.len()), "they share them: {answer}");
    for id in ids {
        let body = format!(r#"{{"ID":"{id}"}}"#);
        Etcd::ask(address, "", "/v3/lease/revoke", &body);
    }
    assert!(driver.get(&"one".into()).await.expect("a get").is_none());
    driver.put(lasting("five")).await.expect("a put");
    let entry = driver.get(&"five".into()).await.expect("a get");
    assert!(entry.expect("an entry").expires.is_some());
}

fn item(value: &str) -> NewItem {
    NewItem {
        key: "flag".into(),
        value: value.into(),
        metadata: Vec::new(),
    }
}

async fn items(
    kind: &'static Kinds,
    address: SocketAddr,
    directory: &Path,
) -> Arc<dyn configuration::Driver> {
    let component = kind.subject("configuration", address, ", { name: timeout, value: 2s }");
    let registry = wythe_drivers::registry();
    let opened = registry.configuration.open(&component, site(directory));
    opened.await.expect("it opens")
}

pub(super) async fn watched(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let items = items(kind, server.address(), directory.path()).await;
    items.set(vec![item("0")]).await.expect("a set");
    for round in 1..=3 {
        let version = items.version().await.expect("a version");
        let waiting = {
            let (items, version) = (items.clone(), version.clone());
            tokio::spawn(async move {
                while let Err(error) = items.wait(&version).await {
                    check(&error);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished(), "nothing has changed");
        if round > 1 {
            server.kill();
            server.restart();
        }
        // One that is known not to have happened is done again, and one that may have is no other one.
        while let Err(error) = items.set(vec![item(&round.to_string())]).await {
            check(&error);
        }
        waiting.await.expect("it hears of the change");
        assert_ne!(items.version().await.expect("a version"), version);
    }
}

pub(super) async fn written(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let items = items(kind, server.address(), directory.path()).await;
    // What `etcdctl put rows/by-hand on` writes is an item.
    put(server.address(), "cm93cy9ieS1oYW5k", "b24=");
    let found = items.get(&["by-hand".into()]).await.expect("items");
    assert_eq!(
        (found[0].key.as_str(), found[0].value.as_str()),
        ("by-hand", "on")
    );
    let many = (0..200).map(|number| NewItem {
        key: format!("k{number}"),
        ..item("x")
    });
    let error = items.set(many.collect()).await.expect_err("too many");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error
            .message()
            .contains("at most 128 are allowed (`maxTxnOps`"),
        "{error}"
    );
}

pub(super) async fn granted(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let component = kind.subject("lock", server.address(), "");
    let registry = wythe_drivers::registry();
    let locks = registry.lock.open(&component, site(directory.path())).await;
    let locks = locks.expect("it opens");
    let (key, minute) = ("lock||app||r".into(), Duration::from_secs(60));
    let Ok(Acquired::Granted(first)) = locks.acquire(&key, "app", minute).await else {
        panic!("a grant");
    };
    server.kill();
    server.restart();
    let held = loop {
        match locks.acquire(&key, "other", minute).await {
            Ok(held) => break held,
            Err(error) => check(&error),
        }
    };
    assert!(
        matches!(held, Acquired::Held { expires: Some(_) }),
        "{held:?}"
    );
    locks.release(&key, first.token).await.expect("a release");
    let Ok(Acquired::Granted(second)) = locks.acquire(&key, "other", minute).await else {
        panic!("a grant");
    };
    assert!(second.token > first.token);
    put(server.address(), "cm93cy9hbnk=", "dGV4dA==");
    let error = locks.acquire(&"any".into(), "app", minute).await;
    let error = error.expect_err("a row that is no lock");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error
            .message()
            .contains("is a row in the server that is no lock"),
        "{error}"
    );
}
