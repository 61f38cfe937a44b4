//! Files that are made, found, lost, elsewhere, or none of the database's.

use super::*;
use crate::testing::{site, site_of_tenant};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use tempfile::TempDir;
use wythe_blocks::Kind;

fn find_at(site: &Site, written: &str) -> Result<Location> {
    let settings = Settings::parse(written, None, false, None).map_err(Error::from)?;
    Location::find(&settings, site, |connection| {
        let made = connection.execute_batch("CREATE TABLE kept (n)");
        made.map_err(|error| Fault::from(error).of_work())
    })
}

fn find(directory: &TempDir, written: &str) -> Result<Location> {
    find_at(&site(directory.path()), written)
}

fn pragma(connection: &Connection, name: &str) -> String {
    let read = connection.query_row(&format!("PRAGMA {name}"), [], |row| {
        row.get::<_, rusqlite::types::Value>(0)
    });
    match read.unwrap() {
        rusqlite::types::Value::Text(text) => text,
        rusqlite::types::Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn a_new_file_is_whole_private_and_synced_by_each_commit() {
    let directory = tempfile::tempdir().unwrap();
    // As a process leaves it that was killed while it made the file.
    fs::write(directory.path().join("a.db.new"), "part").unwrap();
    let connection = find(&directory, "a.db").unwrap().open().unwrap();
    assert_eq!(pragma(&connection, "journal_mode"), "wal");
    assert_eq!(pragma(&connection, "synchronous"), "2", "FULL");
    connection
        .execute_batch("INSERT INTO kept VALUES (1)")
        .unwrap();
    let names = fs::read_dir(directory.path()).unwrap();
    for file in names.map(|entry| entry.unwrap().path()) {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
        assert!(!file.display().to_string().contains(".new"));
    }
    drop(connection);
    let again = find(&directory, "file:a.db").unwrap().open().unwrap();
    assert_eq!(pragma(&again, "table_list"), "main");
}

#[test]
fn without_a_log_the_removal_of_the_journal_is_synced() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings::parse("a.db", None, true, None).map_err(Error::from);
    let place = Location::find(&settings.unwrap(), &site(directory.path()), |connection| {
        let made = connection.execute_batch("CREATE TABLE kept (n)");
        made.map_err(|error| Fault::from(error).of_work())
    });
    let connection = place.unwrap().open().unwrap();
    assert_eq!(pragma(&connection, "journal_mode"), "delete");
    assert_eq!(pragma(&connection, "synchronous"), "3", "EXTRA");
}

#[test]
fn a_log_that_another_process_holds_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let open = find(&directory, "a.db").unwrap().open().unwrap();
    open.execute_batch("INSERT INTO kept VALUES (1)").unwrap();
    let time = |millis| Some(wythe_manifest::Duration(Duration::from_millis(millis)));
    let settings = Settings::parse("a.db", time(10), true, None).map_err(Error::from);
    let place = Location::find(&settings.unwrap(), &site(directory.path()), |_| Ok(()));
    let error = place.unwrap().open().unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("`busyTimeout`"), "{error}");
    drop(open);
}

#[test]
fn a_file_that_was_taken_away_is_no_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.db");
    let connection = find(&directory, "a.db").unwrap().open().unwrap();
    connection
        .execute_batch("INSERT INTO kept VALUES (1)")
        .unwrap();
    fs::remove_file(&file).unwrap();
    let missing = find(&directory, "a.db").err().unwrap();
    let expected = "is missing, so the store that was in it is lost";
    assert!(missing.message().contains(expected), "{missing}");
    fs::write(&file, "").unwrap();
    let empty = find(&directory, "a.db").err().unwrap();
    let expected = "is empty, so the store that was in it is lost";
    assert!(empty.message().contains(expected), "{empty}");
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
}

#[test]
fn a_file_of_another_kind_is_reported_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.db");
    fs::write(&file, vec![7; 10_000]).unwrap();
    let error = find(&directory, "a.db").unwrap().open().unwrap_err();
    let expected = "cannot be opened as a SQLite database; nothing was changed in it";
    assert!(error.message().contains(expected), "{error}");
    assert_eq!(fs::read(&file).unwrap(), vec![7; 10_000]);
    fs::create_dir(directory.path().join("b.db")).unwrap();
    let error = find(&directory, "b.db").err().unwrap();
    assert!(error.message().ends_with("is no file"), "{error}");
    let error = find(&directory, "nowhere/a.db").err().unwrap();
    assert!(
        error.message().contains("cannot be opened; make it"),
        "{error}"
    );
}

#[test]
fn no_link_leads_to_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for tenant in ["bank", "evil/own"] {
        fs::create_dir_all(at(tenant)).unwrap();
    }
    drop(find_at(&site(&at("bank")), "a.db").unwrap());
    let site = site(&at("evil"));
    symlink(at("bank/a.db"), at("evil/a.db")).unwrap();
    symlink(at("bank"), at("evil/out")).unwrap();
    symlink("own", at("evil/in")).unwrap();
    let error = find_at(&site, "a.db").err().unwrap();
    assert!(error.message().contains("is a link"), "{error}");
    find_at(&site, "out/a.db").err().expect("it leads out");
    let inside = find_at(&site, "in/a.db").unwrap();
    assert!(inside.path().ends_with("evil/own/a.db"));
    // The link comes after the file was looked at.
    let place = Location {
        path: at("evil/a.db"),
        wal: true,
        busy: Duration::ZERO,
    };
    place.open().unwrap_err();
}

#[test]
fn a_tenant_names_no_file_of_another_one() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for tenant in ["bank", "evil"] {
        fs::create_dir_all(at(tenant)).unwrap();
    }
    drop(find_at(&site(&at("bank")), "a.db").unwrap());
    let site = site_of_tenant(&at("evil"));
    for written in ["../bank/a.db", at("bank/a.db").to_str().unwrap()] {
        let error = find_at(&site, written).err().unwrap();
        assert_eq!(error.kind(), Kind::Denied, "{error}");
    }
    find_at(&site, "own.db").unwrap();
}

#[test]
fn another_file_is_attached_by_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let connection = find(&directory, "a.db").unwrap().open().unwrap();
    let error = connection.execute_batch("ATTACH 'b.db' AS other");
    let error = error.unwrap_err().to_string();
    assert!(error.contains("too many attached databases"), "{error}");
}
