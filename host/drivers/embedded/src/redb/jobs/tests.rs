//! A store of the build before shards: its index moves, whenever the process ends, and every job is due as it was.

use super::{
    super::{FORMAT, META},
    upgrade::{OLD, step},
    *,
};
use redb::ReadableTable as _;
use std::path::Path;
use wythe_blocks::Environment;

/// Rows as that build wrote them: `jobs APP NAME HEX`, and `due APP WAKE NAME`.
const ROWS: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../tests/conformance/vectors/format-1/jobs.rows"
));
const LEASE: Duration = Duration::from_secs(60);

fn site(directory: &Path) -> Site {
    Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().unwrap(),
        component: "jobs".into(),
        directory: directory.to_owned(),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: Environment::default(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(std::str::from_utf8);
    pairs
        .map(|pair| u8::from_str_radix(pair.unwrap(), 16).unwrap())
        .collect()
}

/// Writes the store of that build; app, wake and name of its jobs, the earliest first.
fn write_old(path: &Path) -> Vec<(String, u64, String)> {
    let database = open_as(1, path, None).unwrap();
    let transaction = write(&database).unwrap();
    let mut index = Vec::new();
    {
        let mut jobs = transaction.open_table(JOBS).unwrap();
        let mut due = transaction.open_table(OLD).unwrap();
        for line in ROWS.lines() {
            let parts: Vec<_> = line.split(' ').collect();
            match parts[..] {
                ["jobs", app, name, hex] => {
                    jobs.insert((app, name), bytes(hex).as_slice()).unwrap();
                }
                ["due", app, wake, name] => {
                    let wake = wake.parse().unwrap();
                    due.insert((app, wake, name), ()).unwrap();
                    index.push((app.to_owned(), wake, name.to_owned()));
                }
                _ => panic!("{line}"),
            }
        }
    }
    transaction.commit().unwrap();
    index.sort();
    index
}

async fn due(driver: &dyn Driver, app: &str) -> Vec<(String, u64, String)> {
    let rows = driver.take(app, u64::MAX, 1_000, LEASE).await.unwrap();
    let row = |row: Row| (row.app, row.wake.unwrap(), row.job.name);
    rows.into_iter().map(row).collect()
}

#[tokio::test]
async fn jobs_of_the_first_format_are_due_as_they_were() {
    // The process ends after so many steps of the upgrade.
    for steps in [0, 1, 3, 100] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("jobs.redb");
        let index = write_old(&path);
        assert_eq!(index.len(), 36);
        for _ in 0..steps {
            let database = open_as(KNOWN, &path, None).unwrap();
            step(&database, 7).unwrap();
        }
        let config = || Config {
            path: None,
            cache_size: None,
        };
        let driver = open(config(), site(directory.path())).await.unwrap();
        for app in ["billing", "shop"] {
            let of_app = index.iter().filter(|(of, ..)| of == app);
            let expected: Vec<_> = of_app.cloned().collect();
            let (_, first, _) = expected.first().unwrap();
            assert_eq!(driver.next(app).await.unwrap(), Some(*first));
            assert_eq!(due(&*driver, app).await, expected);
            assert_eq!(driver.next(app).await.unwrap(), None, "all are handed out");
        }
        let page = driver.list("shop", "", None, 1_000).await.unwrap();
        let paused = page
            .rows
            .iter()
            .find(|row| row.job.name == "old39")
            .unwrap();
        assert!(paused.paused && paused.wake.is_none());
        driver
            .delete("shop", &index.last().unwrap().2)
            .await
            .unwrap();
        driver.close().await.unwrap();
        check_tables(&path);
    }
}

/// The store has the new format, and nothing of the old one.
fn check_tables(path: &Path) {
    let database = open_as(KNOWN, path, None).unwrap();
    let transaction = read(&database).unwrap();
    assert!(
        transaction.open_table(OLD).is_err(),
        "the old index is gone"
    );
    let due_index = transaction.open_table(DUE_INDEX).unwrap();
    assert_eq!(due_index.iter().unwrap().count(), 35);
    let format = transaction.open_table(META).unwrap().get(FORMAT).unwrap();
    assert_eq!(format.unwrap().value(), 2);
}

#[tokio::test]
async fn a_format_of_a_newer_build_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("jobs.redb");
    drop(open_as(3, &path, None).unwrap());
    let config = Config {
        path: None,
        cache_size: None,
    };
    let error = open(config, site(directory.path())).await.err().unwrap();
    let expected = "has format 3; this build reads up to 2; use the newer build that wrote it";
    assert!(error.message().ends_with(expected), "{error}");
}

#[tokio::test]
async fn what_is_due_and_not_handed_out_is_overdue() {
    let directory = tempfile::tempdir().unwrap();
    let index = write_old(&directory.path().join("jobs.redb"));
    let config = Config {
        path: None,
        cache_size: None,
    };
    let driver = open(config, site(directory.path())).await.unwrap();
    let wakes = index.iter().filter(|(of, ..)| of == "shop");
    let wakes: Vec<_> = wakes.map(|(_, wake, _)| *wake).collect();
    let (first, all) = (wakes[0], wakes.len() as u64);
    let count = async |until, limit| driver.overdue("shop", until, limit).await.unwrap();
    assert_eq!(count(first - 1, 100).await, Some(0));
    assert_eq!(count(u64::MAX, 100).await, Some(all));
    assert_eq!(count(u64::MAX, 2).await, Some(2), "it stops at the limit");
    driver.take("shop", u64::MAX, 3, LEASE).await.unwrap();
    assert_eq!(count(u64::MAX, 100).await, Some(all - 3));
    assert_eq!(
        driver.overdue("none", u64::MAX, 100).await.unwrap(),
        Some(0)
    );
}
