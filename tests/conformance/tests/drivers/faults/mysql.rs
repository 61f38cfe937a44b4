//! MySQL and MariaDB alone: errors by name, rows of Dapr, several hosts at once, SQL of apps.

mod tls;

use super::{
    Kinds, Test, await_refusal,
    sql::{ask, found, say, starts, tests},
};
use crate::open::{component, site};
use futures::future::join_all;
use servers::{Proxy, Server};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tls::secure;
use wythe_blocks::{
    Result, bindings,
    state::{self, Condition, Put},
};

pub(super) const TESTS: &[(&str, Test)] =
    tests!(("tls_that_does_not_prove_the_server_says_so", secure));

async fn open_as(address: SocketAddr, login: &str, more: &str) -> Result<Arc<dyn state::Driver>> {
    let directory = tempfile::tempdir().expect("a directory");
    let port = address.port();
    let (parameters, more) = more.split_once('|').unwrap_or(("", more));
    let metadata = format!(
        "[{{ name: connectionString, value: \"{login}@tcp(127.0.0.1:{port})/?{parameters}\" }}{more}]"
    );
    let component = component("state", "mysql", &metadata);
    let registry = wythe_drivers::registry();
    let site = site(directory.path());
    registry.state.open(&component, site).await
}

async fn open(address: SocketAddr, more: &str) -> Result<Arc<dyn state::Driver>> {
    open_as(address, "wythe:secret", more).await
}

/// A binding over the server, by which a test says SQL.
async fn sql(address: SocketAddr, database: &str) -> Arc<dyn bindings::Driver> {
    let directory = tempfile::tempdir().expect("a directory");
    let port = address.port();
    let metadata = format!(
        "[{{ name: url, value: \"wythe:secret@tcp(127.0.0.1:{port})/{database}\" }}, {{ name: maxOpenConns, value: 1 }}]"
    );
    let component = component("bindings", "mysql", &metadata);
    let registry = wythe_drivers::registry();
    let opened = registry
        .bindings
        .open(&component, site(directory.path()))
        .await;
    opened.expect("it opens")
}

async fn logins(_: &'static Kinds, server: Server) {
    let address = server.address();
    let database = sql(address, "mysql").await;
    say(&*database, "CREATE USER ada@'%' IDENTIFIED BY 'lovelace'").await;
    say(&*database, "CREATE DATABASE closed").await;
    let schema = "|, { name: schemaName, value: closed }";
    for (login, more, expected) in [
        (
            "ada:kept-secret",
            "",
            "the database does not take the component's user and password",
        ),
        (
            "ada:lovelace",
            schema,
            "the database does not let the component's user into that schema",
        ),
        (
            "ada:lovelace",
            "",
            "the database does not let the component's user into that schema",
        ),
        (
            "wythe:secret",
            "tls=skip-verify|",
            "the database has no TLS; turn it on there, or write `tls=false`",
        ),
    ] {
        let error = open_as(address, login, more).await.err().expect("an error");
        starts(&error, expected);
        let text = format!("{}{error:?}", error.chain());
        assert!(!text.contains("kept-secret"), "{text}");
    }
    let gone = open(SocketAddr::from(([127, 0, 0, 1], 1)), "").await;
    let gone = gone.err().expect("an error");
    assert_eq!(gone.message(), "the database cannot be reached");
    say(&*database, "SET GLOBAL read_only = 1").await;
    let error = open(address, "").await.err().expect("an error");
    starts(&error, "the database takes no writes; name the primary");
}

async fn tables(_: &'static Kinds, server: Server) {
    let address = server.address();
    let database = sql(address, "mysql").await;
    drop(open(address, "").await.expect("it opens"));
    say(&*database, "CREATE USER ada@'%' IDENTIFIED BY 'lovelace'").await;
    say(
        &*database,
        "GRANT SELECT, INSERT ON dapr_state_store.* TO ada@'%'",
    )
    .await;
    let other = "|, { name: tableName, value: other }";
    let denied = open_as(address, "ada:lovelace", other).await;
    starts(
        &denied.err().expect("an error"),
        "the table `other`: the database does not allow the component's user to do that",
    );
    say(
        &*database,
        "CREATE TABLE dapr_state_store.other (id VARCHAR(100) PRIMARY KEY) ENGINE = MyISAM",
    )
    .await;
    let error = open(address, other).await.err().expect("an error");
    starts(
        &error,
        "the table `other` is there and has an engine without",
    );
    say(
        &*database,
        "ALTER TABLE dapr_state_store.other ENGINE = InnoDB",
    )
    .await;
    let error = open(address, other).await.err().expect("an error");
    starts(&error, "the table `other` is there and has other columns");
    say(
        &*database,
        "UPDATE dapr_state_store.dapr_metadata SET value = '9' WHERE id = 'wythe-state'",
    )
    .await;
    let newer = open(address, "").await.err().expect("an error");
    starts(
        &newer,
        "the table `state` has version 9; this build reads up to 1",
    );
}

async fn promises(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let directory = tempfile::tempdir().expect("a directory");
    let sure = kind.state(address, directory.path(), "").await;
    let sure = sure.expect("it opens");
    assert!(sure.features().durable && sure.features().linearizable);
    let said = sure.describe().expect("a description");
    assert!(
        said.starts_with("MariaDB 10.") && said.ends_with("schema dapr_state_store"),
        "{said}"
    );
    let database = sql(address, "mysql").await;
    say(&*database, "SET GLOBAL innodb_flush_log_at_trx_commit = 2").await;
    let quick = open(address, "|, { name: schemaName, value: quick }").await;
    let quick = quick.expect("it opens").features();
    assert!(!quick.durable && !quick.linearizable);
}

/// The features rest on the server's settings, which are read again with each connection.
async fn less_durable(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let driver = kind.state(proxy.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    let database = sql(server.address(), "mysql").await;
    let set = "SET GLOBAL innodb_flush_log_at_trx_commit =";
    say(&*database, &format!("{set} 0")).await;
    proxy.drop_connections();
    await_refusal(&*driver, "does not keep what it acknowledges").await;
    say(&*database, &format!("{set} 1")).await;
    while driver.put(Put::new("a", "2")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Makes a table as a daprd does: keys in a collation that knows no case, times without a fraction.
async fn table_of_dapr(address: SocketAddr) -> Arc<dyn bindings::Driver> {
    let database = sql(address, "mysql").await;
    say(&*database, "CREATE DATABASE dapr_state_store").await;
    let database = sql(address, "dapr_state_store").await;
    for order in [
        "CREATE TABLE state (id VARCHAR(255) NOT NULL PRIMARY KEY, value JSON NOT NULL, isbinary BOOLEAN NOT NULL, \
         insertDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
         updateDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, \
         eTag VARCHAR(36) NOT NULL, expiredate TIMESTAMP NULL, INDEX expiredate_idx(expiredate))",
        "INSERT INTO state (id, value, isbinary, eTag) VALUES ('golden||b', '{\"a\": 1}', 0, 'e1'), \
         ('golden||a\u{e9}', '\"AP8=\"', 1, 'e2')",
        "INSERT INTO state (id, value, isbinary, eTag, expiredate) VALUES \
         ('golden||over', '1', 0, 'e3', CURRENT_TIMESTAMP - INTERVAL 1 SECOND), \
         ('golden||soon', '2', 0, 'e4', CURRENT_TIMESTAMP + INTERVAL 100 SECOND)",
    ] {
        say(&*database, order).await;
    }
    database
}

async fn of_dapr(kind: &'static Kinds, server: Server) {
    let (address, directory) = (server.address(), tempfile::tempdir().expect("a directory"));
    let database = table_of_dapr(address).await;
    let driver = kind.state(address, directory.path(), "").await;
    let driver = driver.unwrap_or_else(|error| panic!("{}", error.chain()));
    let page = driver.list("golden||", None, 10).await.expect("a page");
    let entries: Vec<_> = page
        .entries
        .iter()
        .map(|(key, entry)| (key.as_str(), &entry.value[..], entry.etag.as_str()))
        .collect();
    let expected = [
        ("golden||a\u{e9}", &b"\0\xff"[..], "e2"),
        ("golden||b", b"{\"a\": 1}", "e1"),
        ("golden||soon", b"2", "e4"),
    ];
    assert_eq!(entries, expected);
    driver
        .put(Put::new("golden||B", "1"))
        .await
        .expect("another key");
    let mut put = Put::new("golden||b", "new");
    put.options.condition = Condition::Matches("e1".to_owned());
    let etag = driver.put(put).await.expect("a put");
    let query = "SELECT value, isbinary, eTag AS etag FROM state WHERE id = 'golden||b'";
    let row = found(&*database, query).await;
    let expected = format!("[{{\"value\":\"\\\"bmV3\\\"\",\"isbinary\":1,\"etag\":\"{etag}\"}}]");
    assert_eq!(row, expected);
    say(
        &*database,
        "INSERT INTO state (id, value, eTag, isbinary, expiredate) VALUES ('golden||b', '4', 'theirs', 0, NULL) \
         ON DUPLICATE KEY UPDATE value = '4', eTag = 'theirs', isbinary = 0, expiredate = NULL",
    )
    .await;
    let entry = driver.get(&"golden||b".into()).await.expect("an answer");
    assert_eq!(entry.expect("an entry").value, "4");
}

/// Times of their own keep the hosts from sharing connections.
async fn at_once(_: &'static Kinds, server: Server) {
    let address = server.address();
    let hosts = (0..8).map(|number| async move {
        let parameters = format!("readTimeout={}s|", 10 + number);
        open(address, &parameters).await
    });
    for opened in join_all(hosts).await {
        opened.unwrap_or_else(|error| panic!("{}", error.chain()));
    }
}

async fn wiped(_: &'static Kinds, server: Server) {
    let address = server.address();
    let driver = sql(address, "mysql").await;
    say(&*driver, "CREATE DATABASE shop").await;
    let driver = sql(address, "shop").await;
    say(&*driver, "CREATE TABLE t (n int)").await;
    for order in [
        "SET SESSION max_statement_time = 0",
        "SET @left = 1",
        "START TRANSACTION",
        "CREATE TEMPORARY TABLE s (n int)",
        "USE mysql",
        "DO GET_LOCK('left', 0)",
    ] {
        say(&*driver, order).await;
    }
    say(&*driver, "INSERT INTO t VALUES (1)").await;
    let query = "SELECT DATABASE() AS d, @left AS l, @@max_statement_time AS m, (SELECT COUNT(*) FROM t) AS n, \
                 IS_FREE_LOCK('left') AS f";
    let row = found(&*driver, query).await;
    assert_eq!(row, r#"[{"d":"shop","m":20.0,"n":1,"f":1}]"#);
    let gone = ask(&*driver, "query", "SELECT * FROM s", "").await;
    starts(
        &gone.expect_err("no table"),
        "the database refused the statement: Table",
    );
    let two = ask(&*driver, "exec", "DELETE FROM t; DROP TABLE t", "").await;
    starts(
        &two.expect_err("two statements"),
        "the database refused the statement: You have an error in your SQL syntax",
    );
}

async fn rows(_: &'static Kinds, server: Server) {
    let address = server.address();
    let driver = sql(address, "mysql").await;
    say(&*driver, "CREATE DATABASE shop").await;
    let driver = sql(address, "shop").await;
    say(
        &*driver,
        "CREATE TABLE items (id int PRIMARY KEY, name text, price decimal(10, 2), at datetime(3), raw blob, more json, \
         part double, much bigint unsigned, day date, span time, is_so bool)",
    )
    .await;
    let insert =
        "INSERT INTO items VALUES (?, ?, ?, ?, X'FF', ?, 0.5, ?, '2020-01-02', '-01:02:03', ?)";
    let params = r#"[7, "it's; DROP TABLE items", 1.25, "2020-01-02 03:04:05.678", {"a": [1]}, 18446744073709551615, true]"#;
    let done = ask(&*driver, "exec", insert, params).await.expect("a row");
    let pairs: std::collections::BTreeMap<_, _> = done.metadata.into_iter().collect();
    assert_eq!(pairs["rows-affected"], "1");
    assert_eq!(pairs["operation"], "exec");
    assert!(pairs.contains_key("start-time") && pairs.contains_key("duration"));
    let query = "SELECT *, NULL AS nothing, 1 AS id FROM items WHERE id = ?";
    let found = ask(&*driver, "query", query, "[7]").await.expect("rows");
    let expected = r#"[{"name":"it's; DROP TABLE items","price":"1.25","at":"2020-01-02T03:04:05.678Z","raw":"/w==","more":"{\"a\":[1]}","part":0.5,"much":18446744073709551615,"day":"2020-01-02T00:00:00Z","span":"-01:02:03","is_so":1,"id":1}]"#;
    assert_eq!(found.data, expected);
    mistakes(&*driver).await;
}

/// Says so of too many rows, and of what is no request.
async fn mistakes(driver: &dyn bindings::Driver) {
    let long = "SELECT REPEAT('x', 1000) AS a FROM mysql.help_topic LIMIT 100";
    let error = ask(driver, "query", long, "").await.expect_err("too much");
    assert!(error.message().contains("see `maxDataBytes`"), "{error}");
    for (sql, params, expected) in [
        ("", "", "the metadata `sql` is missing"),
        (
            "SELECT 1",
            "{}",
            "the metadata `params`; expected an array of JSON",
        ),
        ("SELECT ?", "", "the statement has 1 parameters; found 0"),
        (
            "SELEC 1",
            "",
            "the database refused the statement: You have an error in your SQL syntax",
        ),
    ] {
        let error = ask(driver, "query", sql, params).await;
        starts(&error.expect_err("an error"), expected);
    }
    let closed = ask(driver, "close", "", "").await.expect("an answer");
    assert_eq!(closed.data, "");
}

/// Servers that say one thing and are silent, or say more than there is.
async fn made_up(_: &'static Kinds, _: Server) {
    for (said, expected) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "what answers there is no MySQL",
        ),
        (b"\x05\0\0\0\x0a8.0\0", "what answers there is no MySQL"),
        (
            b"\x0f\0\0\0\xff\x10\x04Too many con",
            "the database has no connection left",
        ),
        (b"\xff\xff\xff\0\x0a", "what answers there is no MySQL"),
        (b"", "the database cannot be reached"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.write_all(said).expect("it is sent");
            stream.shutdown(std::net::Shutdown::Write).expect("it ends");
            _ = stream.read_to_end(&mut Vec::new());
        });
        let error = open(address, "").await.err().expect("an error");
        starts(&error, expected);
        serving.join().expect("the server ends");
    }
}
