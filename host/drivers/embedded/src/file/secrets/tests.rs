//! Files of secrets that change, break and come back, and what is told of them.

use super::*;
use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

async fn store(directory: &Path, json: &str) -> Result<Store> {
    fs::write(directory.join("secrets.json"), json).unwrap();
    Store::open(file(directory)).await
}

fn file(directory: &Path) -> SecretsFile {
    SecretsFile {
        place: AnchoredPath::new(Some(directory), &directory.join("secrets.json")),
        shape: Shape {
            separator: ":".into(),
            multi_valued: false,
        },
        stamp: None,
        is_settled: false,
        is_reported: false,
    }
}

async fn value(store: &Store, name: &str) -> Option<String> {
    let secrets = store.now().await;
    let found = secrets.get(name)?;
    Some(String::from_utf8_lossy(found.values[name].reveal()).into_owned())
}

#[tokio::test]
async fn a_changed_file_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), r#"{ "a": "first" }"#)
        .await
        .unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("first"));
    fs::write(path(&directory), r#"{ "a": "the second" }"#).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("the second"));
}

#[test]
fn a_young_file_is_read_again_though_it_looks_the_same() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(path(&directory), r#"{ "a": "first" }"#).unwrap();
    let mut file = file(directory.path());
    assert!(file.changed().unwrap().is_some());
    // On a machine that stood still for so long it is old by now.
    let is_young = !file.is_settled;
    assert_eq!(file.changed().unwrap().is_some(), is_young);
    file.is_settled = true;
    assert!(file.changed().unwrap().is_none());
}

#[tokio::test]
async fn a_broken_file_keeps_the_last_good_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), r#"{ "a": "first" }"#)
        .await
        .unwrap();
    for broken in ["{ \"a\": ", "[]", "hunter2"] {
        fs::write(path(&directory), broken).unwrap();
        assert_eq!(
            value(&store, "a").await.as_deref(),
            Some("first"),
            "{broken}"
        );
    }
    fs::remove_file(path(&directory)).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("first"));
    fs::write(path(&directory), r#"{ "a": "back" }"#).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("back"));
}

#[tokio::test]
async fn files_of_secrets_are_not_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let reported = async |json: &str| {
        let error = store(directory.path(), json).await.err().unwrap();
        let here = format!("{}/", directory.path().display());
        error.chain().replace(&here, "")
    };
    assert_eq!(
        reported("{ \"a\": hunter2\": }").await,
        "the secrets file `secrets.json:1:16`: expected a JSON object of secrets"
    );
    for text in ["[\"hunter2\"]", "hunter2", "", "{}\n---\n{}"] {
        assert_eq!(
            reported(text).await,
            "the secrets file `secrets.json`: expected a JSON object of secrets"
        );
    }
    assert_eq!(
        reported(&" ".repeat(2 << 20)).await,
        "the secrets file `secrets.json` is larger than 1 MiB, which is the most that is read"
    );
    assert_eq!(
        reported("{ \"hunter2\": 1,\n  \"hunter2\": 2 }").await,
        "the secrets file `secrets.json:2:3`: expected a JSON object of secrets"
    );
}

fn path(directory: &tempfile::TempDir) -> PathBuf {
    directory.path().join("secrets.json")
}

/// Images, archives and `rsync -t` put files in place like this.
#[tokio::test]
async fn a_file_of_the_same_time_and_length_is_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let put = |name: &str, json: &str| {
        let path = directory.path().join(name);
        fs::write(&path, json).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(old).unwrap();
        path
    };
    put("secrets.json", r#"{ "a": "first" }"#);
    let store = Store::open(file(directory.path())).await.unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("first"));
    let new = put("new.json", r#"{ "a": "other" }"#);
    fs::rename(new, path(&directory)).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("other"));
}

#[tokio::test]
async fn what_is_no_regular_file_keeps_the_last_good_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), r#"{ "a": "first" }"#)
        .await
        .unwrap();
    for command in ["mkfifo", "mkdir"] {
        let _ = fs::remove_file(path(&directory));
        let made = std::process::Command::new(command)
            .arg(path(&directory))
            .status();
        assert!(made.unwrap().success());
        assert_eq!(
            value(&store, "a").await.as_deref(),
            Some("first"),
            "{command}"
        );
    }
    fs::remove_dir(path(&directory)).unwrap();
    for out in ["/dev/zero", "/etc/passwd"] {
        std::os::unix::fs::symlink(out, path(&directory)).unwrap();
        assert_eq!(value(&store, "a").await.as_deref(), Some("first"), "{out}");
        let error = Store::open(file(directory.path())).await.err().unwrap();
        assert!(
            error
                .message()
                .contains("a link leads out of the directory"),
            "{error}"
        );
        fs::remove_file(path(&directory)).unwrap();
    }
    fs::write(path(&directory), r#"{ "a": "back" }"#).unwrap();
    assert_eq!(value(&store, "a").await.as_deref(), Some("back"));
}

#[tokio::test]
async fn a_tenant_reads_no_secrets_of_another_through_a_link() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    for name in ["bank", "evil/own", "evil/resources"] {
        fs::create_dir_all(at(name)).unwrap();
        let text = format!(r#"{{ "a": "of {name}" }}"#);
        fs::write(at(name).join("secrets.json"), text).unwrap();
    }
    let link = |to: &str| {
        let _ = fs::remove_file(at("evil/l"));
        std::os::unix::fs::symlink(to, at("evil/l")).unwrap();
    };
    link("own");
    let terms = wythe_manifest::load_host_file(directory.path()).0;
    let site = Site {
        terms: Some(Arc::new(terms.terms(&"evil".parse().unwrap()))),
        ledger: None,
        tenant: "evil".parse().unwrap(),
        component: "secrets".into(),
        directory: at("data"),
        beside: at("evil/resources"),
        root: at("evil"),
        environment: Default::default(),
    };
    let opened = |path: &str| {
        let config = Config {
            secrets_file: path.into(),
            nested_separator: colon(),
            multi_valued: false,
        };
        open(config, site.clone())
    };
    let store = opened("../../evil/l/secrets.json").await.unwrap();
    link("../bank");
    let found = store.get("a", &[]).await.unwrap().unwrap();
    assert_eq!(found.values["a"].reveal(), b"of evil/own");
    for outside in ["../l/secrets.json", "../../bank/secrets.json"] {
        let error = opened(outside).await.err().unwrap();
        assert_eq!(error.kind(), wythe_blocks::Kind::Denied, "{outside}");
    }
}
