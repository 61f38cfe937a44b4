//! PostgreSQL alone: errors by name, rows of Dapr, several hosts at once, SQL of apps.

mod made_up;

use super::{
    Kinds, Test, await_refusal,
    sql::{ask, say, tests},
};
use crate::open::{component, site};
use futures::future::join_all;
use made_up::made_up;
use servers::{Proxy, Server};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result, bindings,
    state::{self, Condition, Put},
};
use wythe_manifest::Component;

pub(super) const TESTS: &[(&str, Test)] =
    tests!(("a_database_that_takes_no_writes_says_so", read_only));

/// The component of a block, with the rest of a connection string.
fn named(block: &str, address: SocketAddr, rest: &str) -> Component {
    let port = address.port();
    let metadata =
        format!("[{{ name: connectionString, value: \"host=127.0.0.1 port={port} {rest}\" }}]");
    component(block, "postgresql", &metadata)
}

async fn open(address: SocketAddr, rest: &str) -> Result<Arc<dyn state::Driver>> {
    let directory = tempfile::tempdir().expect("a directory");
    let registry = wythe_drivers::registry();
    let component = named("state", address, rest);
    registry
        .state
        .open(&component, site(directory.path()))
        .await
}

async fn error(address: SocketAddr, rest: &str) -> Error {
    let opened = open(address, rest).await;
    opened.err().expect("an error")
}

/// A binding over the server, by which a test says SQL.
async fn sql(address: SocketAddr) -> Arc<dyn bindings::Driver> {
    let directory = tempfile::tempdir().expect("a directory");
    let registry = wythe_drivers::registry();
    let component = named("bindings", address, "user=postgres");
    let opened = registry
        .bindings
        .open(&component, site(directory.path()))
        .await;
    opened.expect("it opens")
}

async fn logins(_: &'static Kinds, server: Server) {
    let address = server.address();
    let database = sql(address).await;
    say(&*database, "CREATE ROLE ada LOGIN PASSWORD 'lovelace'").await;
    for (rest, expected) in [
        (
            "user=ada password=kept-secret dbname=postgres",
            "the database does not take the component's user and password",
        ),
        (
            "user=postgres dbname=nowhere",
            "there is no such database; create it",
        ),
        (
            "user=postgres sslmode=require",
            "the database has no TLS; turn it on there, or write `sslmode=disable`",
        ),
    ] {
        let error = error(address, rest).await;
        assert!(error.message().starts_with(expected), "{}", error.chain());
        let text = format!("{}{error:?}", error.chain());
        assert!(!text.contains("kept-secret"), "{text}");
        assert!(text.contains(&address.port().to_string()), "{text}");
    }
    let gone = error(SocketAddr::from(([127, 0, 0, 1], 1)), "user=postgres").await;
    assert_eq!(gone.message(), "the database cannot be reached");
}

async fn tables(_: &'static Kinds, server: Server) {
    let address = server.address();
    let database = sql(address).await;
    say(&*database, "CREATE ROLE ada LOGIN PASSWORD 'lovelace'").await;
    let denied = error(address, "user=ada password=lovelace dbname=postgres").await;
    let expected = "the table `state` may not be created or changed by the component's user; let it CREATE in the schema";
    assert!(denied.message().starts_with(expected), "{}", denied.chain());
    say(
        &*database,
        "CREATE TABLE state (key text, value jsonb, isbinary boolean)",
    )
    .await;
    let old = error(address, "user=postgres").await;
    let expected = "the table `state` has the first layout of Dapr's";
    assert!(old.message().starts_with(expected), "{}", old.chain());
    say(&*database, "DROP TABLE state").await;
    drop(open(address, "user=postgres").await.expect("it opens"));
    say(
        &*database,
        "UPDATE dapr_metadata SET value = '9' WHERE key = 'wythe-state-'",
    )
    .await;
    let newer = error(address, "user=postgres").await;
    let expected = "the table `state` has version 9; this build reads up to 1";
    assert!(newer.message().starts_with(expected), "{}", newer.chain());
}

async fn read_only(_: &'static Kinds, server: Server) {
    let address = server.address();
    let database = sql(address).await;
    say(&*database, "CREATE DATABASE calm").await;
    say(
        &*database,
        "ALTER DATABASE calm SET default_transaction_read_only = on",
    )
    .await;
    let error = error(address, "user=postgres dbname=calm").await;
    let expected = "the database takes no writes; name the primary, and no standby";
    assert_eq!(error.message(), expected);
}

async fn promises(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let directory = tempfile::tempdir().expect("a directory");
    let sure = kind
        .state(address, directory.path(), "")
        .await
        .expect("it opens");
    assert!(sure.features().durable && sure.features().linearizable);
    let said = sure.describe().expect("a description");
    assert!(
        said.starts_with("PostgreSQL ") && said.ends_with("database postgres"),
        "{said}"
    );
    let database = sql(address).await;
    say(
        &*database,
        "ALTER ROLE postgres SET synchronous_commit = off",
    )
    .await;
    let rest = "user=postgres application_name=other";
    let quick = open(address, rest).await.expect("it opens");
    assert!(!quick.features().durable);
}

/// The features rest on the server's settings, which are read again with each connection.
async fn less_durable(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let driver = kind.state(proxy.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    let database = sql(server.address()).await;
    let set = "ALTER ROLE postgres SET synchronous_commit =";
    say(&*database, &format!("{set} off")).await;
    proxy.drop_connections();
    await_refusal(&*driver, "does not keep what it acknowledges").await;
    say(&*database, &format!("{set} on")).await;
    while driver.put(Put::new("a", "2")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn of_dapr(kind: &'static Kinds, server: Server) {
    let (address, directory) = (server.address(), tempfile::tempdir().expect("a directory"));
    let database = sql(address).await;
    for order in [
        "CREATE TABLE dapr_metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL)",
        "INSERT INTO dapr_metadata VALUES ('migrations-state-v2-', '1')",
        "CREATE TABLE state (key text NOT NULL PRIMARY KEY, value bytea NOT NULL, \
         etag uuid NOT NULL DEFAULT gen_random_uuid(), created_at timestamp with time zone NOT NULL DEFAULT now(), \
         updated_at timestamp with time zone, expires_at timestamp with time zone)",
        "INSERT INTO state (key, value) VALUES ('golden||b', '1'), ('golden||a', '2'), ('golden||A', '3')",
    ] {
        say(&*database, order).await;
    }
    let driver = kind
        .state(address, directory.path(), "")
        .await
        .expect("it opens");
    let page = driver.list("golden||", None, 10).await.expect("a page");
    let keys: Vec<_> = page.entries.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        ["golden||A", "golden||a", "golden||b"],
        "in the order of bytes"
    );
    let mut put = Put::new("golden||b", "new");
    put.options.condition = Condition::Matches(page.entries[2].1.etag.clone());
    let etag = driver.put(put).await.expect("a put");
    let query = "SELECT convert_from(value, 'UTF8'), etag::text, updated_at IS NOT NULL FROM state WHERE key = $1";
    let row = ask(&*database, "query", query, "[\"golden||b\"]").await;
    let expected = format!("[[\"new\",\"{etag}\",true]]");
    assert_eq!(row.expect("a row").data, expected);
    // As Dapr writes.
    say(
        &*database,
        "UPDATE state SET value = '4', etag = gen_random_uuid() WHERE key = 'golden||b'",
    )
    .await;
    let entry = driver.get(&"golden||b".into()).await.expect("an answer");
    assert_eq!(entry.expect("an entry").value, "4");
}

/// Names of their own keep the hosts from sharing connections.
async fn at_once(_: &'static Kinds, server: Server) {
    let address = server.address();
    let hosts = (0..8).map(|number| async move {
        let rest = format!("user=postgres application_name=host{number}");
        open(address, &rest).await
    });
    for opened in join_all(hosts).await {
        opened.unwrap_or_else(|error| panic!("{}", error.chain()));
    }
}

async fn wiped(kind: &'static Kinds, server: Server) {
    let (address, directory) = (server.address(), tempfile::tempdir().expect("a directory"));
    let registry = wythe_drivers::registry();
    let component = kind.subject("bindings", address, ", { name: maxConns, value: 1 }");
    let driver = registry
        .bindings
        .open(&component, site(directory.path()))
        .await;
    let driver = driver.expect("it opens");
    say(&*driver, "CREATE TABLE t (n int)").await;
    say(&*driver, "CREATE ROLE ada").await;
    for order in [
        "SET statement_timeout = 0",
        "SET ROLE ada",
        "SET SESSION AUTHORIZATION ada",
        "BEGIN",
        "CREATE TEMPORARY TABLE s (n int)",
        "SET search_path = nowhere",
        "SELECT pg_advisory_lock(1)",
        "PREPARE p AS SELECT 1",
    ] {
        say(&*driver, order).await;
    }
    say(&*driver, "INSERT INTO t VALUES (1)").await;
    let query = "SELECT current_user::text, (SELECT count(*) FROM t), current_setting('statement_timeout'), \
                 (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), to_regclass('s') IS NULL, \
                 (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)";
    let row = ask(&*driver, "query", query, "").await.expect("a row");
    assert_eq!(row.data, r#"[["postgres",1,"20s",0,true,0]]"#);
    let wrong = ask(&*driver, "exec", "INSERT INTO t VALUES ($1)", "[\"x\"]").await;
    let wrong = wrong.expect_err("no number");
    assert!(wrong.message().contains("22P02"), "{wrong}");
}

async fn rows(kind: &'static Kinds, server: Server) {
    let (address, directory) = (server.address(), tempfile::tempdir().expect("a directory"));
    let registry = wythe_drivers::registry();
    let component = kind.subject("bindings", address, "");
    let driver = registry
        .bindings
        .open(&component, site(directory.path()))
        .await;
    let driver = driver.expect("it opens");
    say(&*driver, "CREATE TABLE items (id int PRIMARY KEY, name text, price numeric, at timestamptz, tags text[], more jsonb)").await;
    let insert = "INSERT INTO items VALUES ($1, $2, $3, $4, ARRAY['a', NULL], $5)";
    let params = r#"[7, "it's; DROP TABLE items", 1.25, "2020-01-02T03:04:05Z", {"a": [1]}]"#;
    let done = ask(&*driver, "exec", insert, params).await.expect("a row");
    let pairs: std::collections::BTreeMap<_, _> = done.metadata.into_iter().collect();
    assert_eq!(pairs["rows-affected"], "1");
    assert_eq!(pairs["operation"], "exec");
    assert!(pairs.contains_key("start-time") && pairs.contains_key("duration"));
    let query = "SELECT *, NULL::int, true, '\\xff'::bytea FROM items WHERE id = $1";
    let found = ask(&*driver, "query", query, "[7]").await.expect("rows");
    let expected = r#"[[7,"it's; DROP TABLE items",1.25,"2020-01-02T03:04:05Z",["a",null],{"a":[1]},null,true,"/w=="]]"#;
    assert_eq!(found.data, expected);
    mistakes(&*driver).await;
}

/// Says so of rows without a form, of too many, and of what is no request.
async fn mistakes(driver: &dyn bindings::Driver) {
    let odd = ask(driver, "query", "SELECT point(1, 2) AS p", "").await;
    assert!(
        odd.expect_err("no JSON")
            .message()
            .contains("the column `p` is of the type point")
    );
    let long = ask(
        driver,
        "query",
        "SELECT repeat('x', 1000) FROM generate_series(1, 100)",
        "",
    )
    .await;
    assert!(
        long.expect_err("too much")
            .message()
            .contains("more than 10000 bytes")
    );
    for (sql, params, expected) in [
        ("", "", "the metadata `sql` is missing"),
        (
            "SELECT 1",
            "{}",
            "the metadata `params`; expected an array of JSON",
        ),
        (
            "SELEC 1",
            "",
            "the database refused the statement: syntax error",
        ),
    ] {
        let error = ask(driver, "query", sql, params)
            .await
            .expect_err("an error");
        assert!(error.message().starts_with(expected), "{error}");
    }
    let closed = ask(driver, "close", "", "").await.expect("an answer");
    assert_eq!(closed.data, "");
}
