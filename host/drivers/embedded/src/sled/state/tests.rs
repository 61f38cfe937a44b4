//! Faults that only this engine can have: in pieces, the unsynced directory, and files that are not its own.

use super::*;
use wythe_blocks::state::Put;

fn open_in(directory: &std::path::Path) -> Result<Sled> {
    let opened = open_tree(directory, None)?;
    let view = View::new(opened.tree.clone());
    let stored = None;
    Ok(Sled {
        opened,
        view,
        stored,
    })
}

fn put(store: &Sled, key: &str, value: Vec<u8>) {
    let answers = store
        .commit(vec![Write::Put(Put::new(key, value))], 1)
        .unwrap();
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
}

fn value(key: usize, size: usize) -> Vec<u8> {
    (0..size)
        .map(|at| (at * 31 + key * 7 + at / 251) as u8)
        .collect()
}

#[test]
fn nothing_goes_to_the_unsynced_directory() {
    let temporary = tempfile::tempdir().unwrap();
    let store = open_in(temporary.path()).unwrap();
    let sizes = [
        4 << 20,
        4 << 20,
        (4 << 20) - 1,
        1 << 20,
        PIECE,
        PIECE + 1,
        0,
    ];
    for (key, size) in sizes.into_iter().enumerate() {
        put(&store, &format!("big{key}"), value(key, size));
    }
    let small = (0..2_000)
        .map(|key| Write::Put(Put::new(format!("{key:0>1000}"), value(key, key % 9_000))));
    store.commit(small.collect(), 1).unwrap();
    for (key, size) in sizes.into_iter().enumerate() {
        let record = store.get(&format!("big{key}")).unwrap().unwrap();
        assert!(record.value == value(key, size), "{size} bytes");
    }
    let blobs = std::fs::read_dir(temporary.path().join("blobs"))
        .unwrap()
        .count();
    assert_eq!(blobs, 0);
}

#[test]
fn pieces_go_with_their_entry() {
    let temporary = tempfile::tempdir().unwrap();
    let store = open_in(temporary.path()).unwrap();
    let empty = store.opened.tree.len();
    put(&store, "key", value(1, 100_000));
    assert!(store.opened.tree.len() > empty + 10);
    put(&store, "key", value(1, 10));
    assert_eq!(store.opened.tree.len(), empty + 1);
}

#[test]
fn the_sweep_follows_the_index() {
    let temporary = tempfile::tempdir().unwrap();
    let store = open_in(temporary.path()).unwrap();
    let mut item = Put::new("over", value(1, 100_000));
    item.options.ttl = Some(std::time::Duration::from_nanos(9));
    store
        .commit(vec![Write::Put(item), Write::Put(Put::new("kept", "v"))], 1)
        .unwrap();
    assert!(!store.sweep(9).unwrap());
    assert!(store.get("over").unwrap().is_some());
    assert!(!store.sweep(10).unwrap());
    assert!(store.get("over").unwrap().is_none());
    // The format, and the entry that was kept.
    assert_eq!(store.opened.tree.len(), 2);
}

#[test]
fn a_second_opener_is_told_who_is_in_the_way() {
    let temporary = tempfile::tempdir().unwrap();
    let _store = open_in(temporary.path()).unwrap();
    let error = open_in(temporary.path()).err().unwrap();
    let expected = format!(
        "`{}` is in use by another process; stop it first",
        temporary.path().display()
    );
    assert_eq!(error.message(), expected);
}

#[test]
fn a_newer_format_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let store = open_in(temporary.path()).unwrap();
    store
        .opened
        .tree
        .insert(keys::FORMAT, &2u64.to_be_bytes())
        .unwrap();
    drop(store);
    let error = open_in(temporary.path()).err().unwrap();
    let expected = "has format 2; this build reads up to 1; use the newer build that wrote it";
    assert!(error.message().ends_with(expected), "{error}");
}

#[test]
fn a_damaged_file_is_reported_and_left_alone() {
    let temporary = tempfile::tempdir().unwrap();
    std::fs::write(temporary.path().join("conf"), "not sled's").unwrap();
    std::fs::write(temporary.path().join("db"), vec![7; 100_000]).unwrap();
    let error = open_in(temporary.path()).err().unwrap();
    assert!(
        error
            .message()
            .contains("restore it from a copy, or move it away and start empty"),
        "{error}"
    );
    assert_eq!(
        std::fs::read(temporary.path().join("db")).unwrap(),
        vec![7; 100_000]
    );
}
