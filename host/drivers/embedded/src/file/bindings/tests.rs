//! Names that may not leave the root, and what errors tell of a name.

use super::*;
use std::fs;
use tempfile::TempDir;
use wythe_blocks::Kind;

const MAX_BYTES: u64 = 1_000;

async fn driver(place: &TempDir) -> Arc<dyn Driver> {
    let site = Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().unwrap(),
        component: "storage".into(),
        directory: place.path().join("data"),
        beside: place.path().to_owned(),
        root: place.path().to_owned(),
        environment: Default::default(),
    };
    let root_path = "root".into();
    open(Config { root_path }, site).await.unwrap()
}

async fn ask(driver: &dyn Driver, operation: &str, name: &str, data: &str) -> Result<Bytes> {
    let request = Request {
        operation,
        data: &Bytes::copy_from_slice(data.as_bytes()),
        metadata: &[(FILE_NAME.into(), name.into())],
        max_bytes: MAX_BYTES,
        trace: wythe_blocks::Trace::start(),
        account: None,
    };
    driver.invoke(request).await.map(|outcome| outcome.data)
}

/// Asserts that every operation refuses the name, in these words.
async fn refused(driver: &dyn Driver, name: &str, message: &str) {
    for operation in ["create", "get", "delete", "list"] {
        let error = ask(driver, operation, name, "x").await.unwrap_err();
        let reported = (error.kind(), error.message());
        assert_eq!(
            reported,
            (Kind::Invalid, message),
            "{operation} of {name:?}"
        );
    }
}

#[tokio::test]
async fn a_name_leads_nowhere_else() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("secret"), "secret").unwrap();
    let driver = driver(&place).await;
    let absolute = place.path().join("secret").display().to_string();
    let names = [
        "",
        ".",
        "..",
        "../secret",
        "a/../../secret",
        "a/./b",
        "a//b",
        "a/",
        "/etc/passwd",
        absolute.as_str(),
        ".wythe-temporary/x",
    ];
    for name in names {
        let message = format!(
            "the `fileName` `{name}`; expected a file of the storage, such as `orders/7.json`, without `..` and a `/` \
             at its ends"
        );
        refused(&*driver, name, &message).await;
    }
    assert_eq!(
        fs::read_to_string(place.path().join("secret")).unwrap(),
        "secret"
    );
}

#[tokio::test]
async fn a_name_is_text_of_a_bounded_length() {
    let place = tempfile::tempdir().unwrap();
    let driver = driver(&place).await;
    for (name, shown) in [
        ("a\0b", "a\\0b"),
        ("a\nb", "a\\nb"),
        ("a\u{7f}", "a\\u{7f}"),
    ] {
        let message = format!("the `fileName` `{shown}` has a control character; expected none");
        refused(&*driver, name, &message).await;
    }
    for name in ["n".repeat(300), ["n"; 600].join("/")] {
        let message = format!(
            "a `fileName` of {} bytes; expected at most 255 between two `/`, and 1024 in all",
            name.len()
        );
        refused(&*driver, &name, &message).await;
    }
    let longest = "n".repeat(255);
    ask(&*driver, "create", &longest, "x").await.unwrap();
    assert_eq!(ask(&*driver, "get", &longest, "").await.unwrap(), "x");
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_to_the_outside_is_not_followed() {
    use std::os::unix::fs::symlink;
    let place = tempfile::tempdir().unwrap();
    let driver = driver(&place).await;
    let (root, outside) = (place.path().join("root"), place.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    symlink("../outside/secret", root.join("near")).unwrap();
    symlink(&outside, root.join("folder")).unwrap();
    for (operation, name) in [
        ("get", "file"),
        ("get", "near"),
        ("get", "folder/secret"),
        ("create", "folder/new"),
        ("create", "folder/below/new"),
        ("delete", "folder/secret"),
        ("list", "folder"),
    ] {
        let error = ask(&*driver, operation, name, "x").await.unwrap_err();
        let expected = format!("the file `{name}` leads out of the storage");
        assert_eq!(
            (error.kind(), error.message()),
            (Kind::Invalid, expected.as_str())
        );
    }
    // A link's own name may be used anew; what it led to is left alone.
    ask(&*driver, "create", "file", "mine").await.unwrap();
    ask(&*driver, "delete", "near", "").await.unwrap();
    assert_eq!(
        ask(&*driver, "list", "", "").await.unwrap_err().kind(),
        Kind::Invalid
    );
    assert_eq!(
        fs::read_to_string(outside.join("secret")).unwrap(),
        "secret"
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_becomes_a_link_leads_nowhere() {
    use std::os::unix::fs::symlink;
    let place = tempfile::tempdir().unwrap();
    let driver = driver(&place).await;
    let (root, outside) = (place.path().join("root"), place.path().join("outside"));
    ask(&*driver, "create", "below/a", "mine").await.unwrap();
    fs::rename(root.join("below"), &outside).unwrap();
    symlink(&outside, root.join("below")).unwrap();
    for operation in ["get", "create", "delete"] {
        let error = ask(&*driver, operation, "below/a", "x").await.unwrap_err();
        assert_eq!(
            error.message(),
            "the file `below/a` leads out of the storage"
        );
    }
    assert_eq!(fs::read_to_string(outside.join("a")).unwrap(), "mine");
    // The root itself is held, wherever its name leads now.
    let moved = place.path().join("moved");
    fs::rename(&root, &moved).unwrap();
    symlink(&outside, &root).unwrap();
    ask(&*driver, "create", "b", "mine").await.unwrap();
    assert_eq!(fs::read_to_string(moved.join("b")).unwrap(), "mine");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[tokio::test]
async fn what_is_no_file_is_told() {
    const FOLDER: &str = "the file `below` is a folder or something else that is no file";
    let place = tempfile::tempdir().unwrap();
    let driver = driver(&place).await;
    ask(&*driver, "create", "below/a", "x").await.unwrap();
    for operation in ["get", "delete", "list"] {
        let error = ask(&*driver, operation, "none", "").await.unwrap_err();
        let reported = (error.kind(), error.message());
        let expected = (Kind::NotFound, "the file `none` is not there");
        assert_eq!(reported, expected, "{operation}");
    }
    for (operation, name, message) in [
        ("get", "below", FOLDER),
        ("create", "below", FOLDER),
        ("delete", "below", FOLDER),
        (
            "create",
            "below/a/b",
            "the file `below/a/b` is below another file or a link",
        ),
    ] {
        let error = ask(&*driver, operation, name, "x").await.unwrap_err();
        let reported = (error.kind(), error.message());
        assert_eq!(reported, (Kind::Invalid, message), "{operation}");
    }
}

#[tokio::test]
async fn what_is_created_is_whole_and_nothing_is_left_of_the_way() {
    let place = tempfile::tempdir().unwrap();
    let driver = driver(&place).await;
    ask(&*driver, "create", "a/b/c.txt", "one").await.unwrap();
    ask(&*driver, "create", "a/b/c.txt", "another")
        .await
        .unwrap();
    let path = place.path().join("root/a/b/c.txt");
    assert_eq!(fs::read_to_string(path).unwrap(), "another");
    assert_eq!(
        ask(&*driver, "list", "a", "").await.unwrap(),
        r#"["a/b/c.txt"]"#
    );
    let temporary = place.path().join("root").join(TEMPORARY);
    assert_eq!(fs::read_dir(temporary).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let driver = driver(&place).await;
    fs::write(place.path().join("root/big"), vec![0; 1_001]).unwrap();
    let error = ask(&*driver, "get", "big", "").await.unwrap_err();
    assert_eq!(
        error.message(),
        "the file `big` has more than 1000 bytes; see `maxDataBytes`"
    );
}

#[tokio::test]
async fn a_list_counts_for_the_app_that_asks_and_ends_inside_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let driver = driver(&place).await;
    for number in 0..20 {
        let name = number.to_string();
        ask(&*driver, "create", &name, "x").await.unwrap();
    }
    let ledger = wythe_blocks::quota::Ledger::new("t".parse().unwrap());
    let account = wythe_blocks::Account::new("app".parse().unwrap(), 300, ledger);
    let request = Request {
        operation: "list",
        data: &Bytes::new(),
        metadata: &[],
        max_bytes: MAX_BYTES,
        trace: wythe_blocks::Trace::start(),
        account: Some(&account),
    };
    let error = driver.invoke(request).await.unwrap_err();
    assert!(
        error.message().ends_with("see `limits.hostMemory`"),
        "{error}"
    );
    assert_eq!(account.used(), 0);
}
