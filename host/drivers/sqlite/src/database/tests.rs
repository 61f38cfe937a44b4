//! Writes that share a commit, and what becomes of them where one fails; the time of what takes long.

use super::*;
use crate::testing::site;
use tempfile::TempDir;
use tokio::{sync::Barrier, task::JoinSet};
use wythe_blocks::Kind;
use wythe_manifest::Duration as Time;

fn open(directory: &TempDir, millis: u64) -> Database {
    let time = Some(Time(Duration::from_millis(millis)));
    let settings = Settings::parse("a.db", time, false, time).map_err(Error::from);
    let database = Database::open(
        &settings.unwrap(),
        &site(directory.path()),
        2,
        |connection| {
            let made = connection.execute_batch("CREATE TABLE IF NOT EXISTS t (n)");
            made.map_err(|error| Fault::from(error).of_work())
        },
    );
    database.unwrap()
}

async fn add(database: &Database, number: i64) -> Result<()> {
    let sql = "INSERT INTO t VALUES (?1)";
    let write = move |connection: &Connection| {
        connection.execute(sql, [number])?;
        Ok(Ok(()))
    };
    database.write(write).await
}

async fn numbers(database: &Database) -> Vec<i64> {
    let read = database.read(|session| {
        let mut statement = session.connection.prepare("SELECT n FROM t ORDER BY n")?;
        let rows = statement.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    read.await.unwrap()
}

/// A query that never ends by itself.
const ENDLESS: &str =
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r";

#[tokio::test]
async fn a_write_that_is_refused_takes_back_its_own_alone() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory, 10_000);
    let refused = database.write(|connection| {
        connection.execute("INSERT INTO t VALUES (99)", [])?;
        Ok::<Result<()>, _>(Err(Error::conflict("no")))
    });
    let (refused, one, two) = tokio::join!(refused, add(&database, 1), add(&database, 2));
    assert_eq!(refused.unwrap_err().kind(), Kind::Conflict);
    one.and(two).unwrap();
    assert_eq!(numbers(&database).await, [1, 2]);
}

#[tokio::test]
async fn a_write_that_fails_or_panics_takes_no_other_one_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory, 10_000);
    let wrong = database.write(|connection| {
        connection.execute("INSERT INTO nowhere VALUES (1)", [])?;
        Ok(Ok(()))
    });
    let panics = database.write::<()>(|_| panic!("a write panics"));
    let (one, wrong, panics, two) =
        tokio::join!(add(&database, 1), wrong, panics, add(&database, 2));
    assert_eq!(wrong.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(panics.unwrap_err().kind(), Kind::Internal);
    one.and(two).unwrap();
    assert_eq!(numbers(&database).await, [1, 2]);
    let panics = database.read::<()>(|_| panic!("a read panics"));
    assert_eq!(panics.await.unwrap_err().kind(), Kind::Internal);
    assert_eq!(numbers(&database).await, [1, 2]);
}

#[tokio::test]
async fn what_takes_too_long_ends_and_has_done_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory, 300);
    let read = database.read(|session| {
        let found: i64 = session
            .connection
            .query_row(ENDLESS, [], |row| row.get(0))?;
        Ok(found)
    });
    assert_eq!(read.await.unwrap_err().kind(), Kind::Unavailable);
    let write = database.write(|connection| {
        connection.execute("INSERT INTO t VALUES (99)", [])?;
        let found: i64 = connection.query_row(ENDLESS, [], |row| row.get(0))?;
        Ok(Ok(found))
    });
    let error = write.await.unwrap_err();
    assert!(error.message().contains("`timeout`"), "{error}");
    add(&database, 1).await.unwrap();
    assert_eq!(numbers(&database).await, [1]);
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let database = open(&directory, 200);
    let other = Connection::open(directory.path().join("a.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = add(&database, 1).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert!(error.message().contains("`busyTimeout`"), "{error}");
    database.health().await.unwrap_err();
    other.execute_batch("ROLLBACK").unwrap();
    database.health().await.unwrap();
    add(&database, 2).await.unwrap();
    assert_eq!(numbers(&database).await, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_all_kept() {
    let directory = tempfile::tempdir().unwrap();
    let database = Arc::new(open(&directory, 10_000));
    let barrier = Arc::new(Barrier::new(100));
    let mut tasks = JoinSet::new();
    for number in 0..100 {
        let (database, barrier) = (database.clone(), barrier.clone());
        tasks.spawn(async move {
            barrier.wait().await;
            add(&database, number).await
        });
    }
    for done in tasks.join_all().await {
        done.unwrap();
    }
    assert_eq!(numbers(&database).await, (0..100).collect::<Vec<_>>());
    database.close();
    let closed = add(&database, 1).await.unwrap_err();
    assert!(closed.message().ends_with("is closed"), "{closed}");
    assert!(
        !directory.path().join("a.db-wal").exists(),
        "it is in the file"
    );
}
