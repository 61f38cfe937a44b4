//! Files that change, break and come back.

use super::*;
use std::{fs, path::Path, time::Duration};

fn site(directory: &Path) -> Site {
    Site {
        terms: None,
        ledger: None,
        tenant: "default".parse().unwrap(),
        component: "settings".into(),
        directory: directory.join("data"),
        beside: directory.to_owned(),
        root: directory.to_owned(),
        environment: wythe_blocks::Environment::default(),
    }
}

async fn opened(directory: &Path) -> Result<Arc<dyn Driver>> {
    let config = Config {
        path: "settings.yaml".into(),
        separator: dot(),
    };
    open(config, site(directory)).await
}

async fn reported(driver: &dyn Driver) -> Vec<String> {
    let items = driver.get(&[]).await.unwrap().into_iter();
    items
        .map(|item| format!("{}={}", item.key, item.value))
        .collect()
}

/// Ten times what a look once a second takes.
async fn after(driver: &dyn Driver, version: &str) {
    let changed = tokio::time::timeout(Duration::from_secs(10), driver.wait(version));
    changed.await.expect("the change is seen").unwrap();
}

#[tokio::test]
async fn a_written_file_and_one_that_is_put_in_its_place_are_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.yaml");
    fs::write(&file, "a: { b: 1 }\nsame: x\n").unwrap();
    let driver = opened(directory.path()).await.unwrap();
    assert_eq!(reported(&*driver).await, ["a.b=1", "same=x"]);
    let same = driver.get(&["same".into()]).await.unwrap();

    let version = driver.version().await.unwrap();
    fs::write(&file, "{ \"a\": { \"b\": 2 }, \"same\": \"x\" }").unwrap();
    after(&*driver, &version).await;
    assert_eq!(reported(&*driver).await, ["a.b=2", "same=x"]);
    assert_eq!(driver.get(&["same".into()]).await.unwrap(), same);

    let version = driver.version().await.unwrap();
    let beside = directory.path().join("settings.new");
    fs::write(&beside, "same: x\n").unwrap();
    fs::rename(&beside, &file).unwrap();
    after(&*driver, &version).await;
    assert_eq!(reported(&*driver).await, ["same=x"]);
    driver.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_says_the_same_in_other_words_has_not_changed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.yaml");
    fs::write(&file, "a: 1\n").unwrap();
    let driver = opened(directory.path()).await.unwrap();
    let version = driver.version().await.unwrap();
    fs::write(&file, "# a comment\n\"a\": \"1\"\n").unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(2), driver.wait(&version));
    assert!(waited.await.is_err());
    assert_eq!(driver.version().await.unwrap(), version);
}

#[tokio::test]
async fn a_broken_file_keeps_the_last_good_items() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.yaml");
    fs::write(&file, "a: 1\n").unwrap();
    let driver = opened(directory.path()).await.unwrap();
    let version = driver.version().await.unwrap();
    for broken in [Some("a: [1\n"), Some("- a\n"), None] {
        match broken {
            Some(text) => fs::write(&file, text).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(driver.version().await.unwrap(), version, "{broken:?}");
        assert_eq!(reported(&*driver).await, ["a=1"], "{broken:?}");
    }
    fs::write(&file, "a: 2\n").unwrap();
    after(&*driver, &version).await;
    assert_eq!(reported(&*driver).await, ["a=2"]);
}

#[test]
fn each_state_of_a_file_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("settings.yaml");
    let store = Store {
        place: AnchoredPath::new(Some(directory.path()), &path),
        separator: dot(),
        seen: Mutex::default(),
        versions: Versions::new(1),
    };
    let shown = path.display();
    let expected = format!("the configuration file `{shown}` cannot be read: entity not found");
    assert_eq!(store.reload(), Err(expected));
    assert_eq!(store.reload(), Ok(()));
    fs::write(&path, "a: 1\nb: 2: 3\n").unwrap();
    let what = "not valid YAML: mapping values are not allowed in this context";
    let expected = format!("the configuration file `{shown}:2:5`: {what}");
    assert_eq!(store.reload(), Err(expected));
    assert_eq!(store.reload(), Ok(()));
    fs::write(&path, "[]").unwrap();
    let expected = format!("the configuration file `{shown}`: expected an object of items");
    assert_eq!(store.reload(), Err(expected));
    fs::write(&path, [0xff]).unwrap();
    let expected = format!("the configuration file `{shown}`: not UTF-8 text");
    assert_eq!(store.reload(), Err(expected));
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    let expected = format!(
        "the configuration file `{shown}` is larger than 1 MiB, which is the most that is read"
    );
    assert_eq!(store.reload(), Err(expected));
    fs::remove_file(&path).unwrap();
    assert!(store.reload().is_err());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_a_problem_at_start() {
    let directory = tempfile::tempdir().unwrap();
    let error = opened(directory.path()).await.err().unwrap();
    let expected = format!(
        "the configuration file `{}/settings.yaml` cannot be read: entity not found",
        directory.path().display()
    );
    assert_eq!(error.message(), expected);
}

#[tokio::test]
async fn what_is_no_regular_file_for_a_while_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("settings.yaml");
    fs::write(&file, "a: 1\n").unwrap();
    let driver = opened(directory.path()).await.unwrap();
    let version = driver.version().await.unwrap();
    fs::remove_file(&file).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    // Time enough for the watch to look at it; where it has not yet, the next lines hold all the same.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(reported(&*driver).await, ["a=1"]);
    fs::remove_file(&file).unwrap();
    fs::write(&file, "a: 2\n").unwrap();
    after(&*driver, &version).await;
    assert_eq!(reported(&*driver).await, ["a=2"]);
}
