//! Rows of Dapr, read and written beside it, and rows that are none.

use super::*;
use crate::testing::site;
use rusqlite::Connection;
use std::time::SystemTime;
use tempfile::TempDir;
use wythe_blocks::{
    Kind,
    state::{Condition, PutOptions},
};

fn parsed(table: Option<&str>) -> Result<Parsed> {
    let config = Config {
        connection_string: "a.db".to_owned(),
        busy_timeout: None,
        disable_wal: None,
        timeout: None,
        table_name: table.map(str::to_owned),
        metadata_table_name: None,
        cleanup_interval: None,
    };
    parse(config).map_err(Error::from)
}

async fn state(directory: &TempDir) -> Result<Arc<dyn Driver>> {
    open(parsed(None)?, site(directory.path())).await
}

/// The file as a daprd makes it, and a connection to it.
fn of_dapr(directory: &TempDir) -> Connection {
    let connection = Connection::open(directory.path().join("a.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; \
             CREATE TABLE metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL); \
             INSERT INTO metadata VALUES ('migrations', '1'); \
             CREATE TABLE state (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL, \
             etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL, \
             update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
             INSERT INTO state (key, value, is_binary, etag) VALUES ('cart||json', '{\"a\":1}', 0, 'e1'), \
             ('cart||bytes', 'AP8=', 1, 'e2'); \
             INSERT INTO state (key, value, is_binary, etag, expiration_time) VALUES \
             ('cart||over', '1', 0, 'e3', DATETIME(CURRENT_TIMESTAMP, '-1 seconds')), \
             ('cart||soon', '2', 0, 'e4', DATETIME(CURRENT_TIMESTAMP, '+100 seconds'))",
        )
        .unwrap();
    connection
}

#[tokio::test]
async fn rows_of_dapr_are_read_and_written() {
    let directory = tempfile::tempdir().unwrap();
    let dapr = of_dapr(&directory);
    let state = state(&directory).await.unwrap();
    let page = state.list("cart||", None, 10).await.unwrap();
    let found: Vec<_> = page
        .entries
        .iter()
        .map(|(key, entry)| (key.as_str(), &entry.value[..], entry.etag.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("cart||bytes", &b"\0\xff"[..], "e2"),
            ("cart||json", b"{\"a\":1}", "e1"),
            ("cart||soon", b"2", "e4"),
        ]
    );
    let ends = page.entries[2].1.expires.unwrap();
    let left = ends.duration_since(SystemTime::now()).unwrap();
    assert!(left > Duration::from_secs(50) && left < Duration::from_secs(101));
    let mut put = Put::new("cart||json", "[2]");
    put.options.condition = Condition::Matches("e1".to_owned());
    let etag = state.put(put).await.unwrap();
    state
        .put(Put::new("cart||bytes", &b"\0"[..]))
        .await
        .unwrap();
    let row = |key: &str| {
        let sql = "SELECT value, is_binary, etag FROM state WHERE key = ?1";
        let read = |row: &rusqlite::Row| {
            Ok::<(String, bool, String), _>((row.get(0)?, row.get(1)?, row.get(2)?))
        };
        dapr.query_row(sql, [key], read).unwrap()
    };
    assert_eq!(row("cart||json"), ("[2]".to_owned(), false, etag));
    let (value, is_binary, _) = row("cart||bytes");
    assert_eq!((value.as_str(), is_binary), ("AA==", true));
}

/// A first write of Dapr names no columns, so that it fails where there is one more.
#[tokio::test]
async fn dapr_writes_where_it_did_before() {
    let directory = tempfile::tempdir().unwrap();
    let dapr = of_dapr(&directory);
    let state = state(&directory).await.unwrap();
    let key: Key = "cart||mine".into();
    let put = Put {
        key: key.clone(),
        value: "1".into(),
        options: PutOptions {
            content_type: Some("text/plain".to_owned()),
            fence: Some(7),
            ..PutOptions::default()
        },
    };
    state.put(put).await.unwrap();
    let entry = state.get(&key).await.unwrap().unwrap();
    assert_eq!(entry.content_type.as_deref(), Some("text/plain"));
    dapr.execute_batch(
        "INSERT OR REPLACE INTO state SELECT 'cart||mine', '2', 0, 'theirs', NULL, CURRENT_TIMESTAMP",
    )
    .unwrap();
    let entry = state.get(&key).await.unwrap().unwrap();
    assert_eq!((&entry.value[..], entry.content_type), (&b"2"[..], None));
    let mut late = Put::new("cart||mine", "3");
    late.options.fence = Some(6);
    let error = state.put(late).await.unwrap_err();
    assert!(error.message().contains("fence 7"), "{error}");
}

#[tokio::test]
async fn a_row_that_is_none_fails_alone() {
    let directory = tempfile::tempdir().unwrap();
    let dapr = of_dapr(&directory);
    let state = state(&directory).await.unwrap();
    dapr.execute_batch(
        "INSERT INTO state (key, value, is_binary, etag) VALUES ('odd1', '%', 1, 'e'), ('odd2', 'x', 'y', 'e'), \
         ('odd3', zeroblob(20000000), 0, 'e'), ('odd4', zeroblob(40000000), 0, 'e')",
    )
    .unwrap();
    for key in ["odd1", "odd2", "odd3", "odd4"] {
        let error = state.get(&key.into()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Internal, "{key}: {}", error.chain());
        let odd = key.into();
        let sum = state.increment(&odd, 1);
        let other = state.put(Put::new("fine", "1"));
        let (sum, other) = tokio::join!(sum, other);
        assert_eq!(sum.unwrap_err().kind(), Kind::Internal, "{key}");
        other.unwrap();
    }
    for key in ["odd1", "odd2", "odd3", "odd4"] {
        state.put(Put::new(key, "1")).await.unwrap();
        assert_eq!(state.increment(&key.into(), 1).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn a_table_that_does_not_fit_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let dapr = of_dapr(&directory);
    dapr.execute_batch("CREATE TABLE other (key text, value text)")
        .unwrap();
    let opened = open(parsed(Some("other")).unwrap(), site(directory.path())).await;
    let error = opened.err().unwrap();
    let expected = "the table `other` is there with other columns";
    assert!(error.message().starts_with(expected), "{}", error.chain());
    dapr.execute_batch("UPDATE metadata SET value = '2'")
        .unwrap();
    let error = state(&directory).await.err().unwrap();
    let expected = "the table `state` has version 2; this build reads up to 1";
    assert!(error.message().starts_with(expected), "{}", error.chain());
}

/// Code in a file of somebody else's does not run.
#[tokio::test]
async fn a_trigger_of_the_file_does_not_run() {
    let directory = tempfile::tempdir().unwrap();
    let dapr = of_dapr(&directory);
    dapr.execute_batch("CREATE TRIGGER evil AFTER INSERT ON state BEGIN DELETE FROM state; END")
        .unwrap();
    let state = state(&directory).await.unwrap();
    state.put(Put::new("a", "1")).await.unwrap();
    assert!(state.get(&"a".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_over_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let dapr = of_dapr(&directory);
    let mut parsed = parsed(None).unwrap();
    parsed.cleanup = Duration::from_millis(10);
    let state = open(parsed, site(directory.path())).await.unwrap();
    let count = || -> i64 {
        let sql = "SELECT count(*) FROM state WHERE key = 'cart||over'";
        dapr.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    while count() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let described = state.describe().unwrap();
    assert!(described.starts_with("SQLite 3.") && described.ends_with("a.db`"));
}
