//! Keys by prefix, in order, in pages.

use super::{Subject, steps::*};
use wythe_blocks::state::{Driver, Put};

async fn put_all(driver: &dyn Driver, keys: &[&str]) {
    let puts = keys.iter().map(|key| Put::new(*key, key.to_string()));
    assert!(
        driver
            .put_many(puts.collect())
            .await
            .iter()
            .all(Result::is_ok)
    );
}

pub(super) async fn prefix(subject: Subject) {
    let driver = subject.driver();
    put_all(
        &*driver,
        &["a", "app", "app||1", "app||2", "app|", "apple", "b"],
    )
    .await;
    assert_eq!(keys(&*driver, "app||", 10).await, ["app||1", "app||2"]);
    assert_eq!(keys(&*driver, "app||2", 10).await, ["app||2"]);
    let page = driver.list("app||", None, 10).await.expect("a list");
    for (key, entry) in page.entries {
        assert_eq!(Some(entry.clone()), get(&*driver, &key).await);
        assert_eq!(text(&entry), key);
    }
}

pub(super) async fn order(subject: Subject) {
    let driver = subject.driver();
    let expected = [
        "", "\u{1}", " ", "10", "9", "A", "Z", "a", "a\u{1}", "aa", "b", "z", "ä", "€", "\u{ffff}",
        "😀",
    ];
    let mut shuffled = expected;
    shuffled.reverse();
    shuffled.swap(0, 5);
    // The empty key is not for apps to use, so it is not asked of a driver.
    put_all(
        &*driver,
        shuffled
            .iter()
            .copied()
            .filter(|key| !key.is_empty())
            .collect::<Vec<_>>()
            .as_slice(),
    )
    .await;
    assert_eq!(keys(&*driver, "", 100).await, &expected[1..]);
}

pub(super) async fn pages(subject: Subject) {
    let driver = subject.driver();
    let all: Vec<_> = (0..25).map(|number| format!("k{number:02}")).collect();
    put_all(
        &*driver,
        &all.iter().map(String::as_str).collect::<Vec<_>>(),
    )
    .await;
    put_all(&*driver, &["j", "l"]).await;
    for limit in [1, 2, 5, 24, 25, 26, 1_000] {
        assert_eq!(keys(&*driver, "k", limit).await, all, "pages of {limit}");
    }
    let page = driver.list("k", None, 25).await.expect("a list");
    assert_eq!(
        (page.entries.len(), page.next),
        (25, None),
        "the last page says so"
    );
    let page = driver.list("k", None, 24).await.expect("a list");
    assert_eq!(
        (page.entries.len(), page.next.as_deref()),
        (24, Some("k23"))
    );
}

pub(super) async fn everything(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &["b", "a", "c"]).await;
    delete(&*driver, "b").await;
    assert_eq!(keys(&*driver, "", 2).await, ["a", "c"]);
}

pub(super) async fn literal(subject: Subject) {
    let driver = subject.driver();
    let odd = [
        "%",
        "_",
        "*",
        "?",
        "[",
        "\\",
        "'",
        "\"",
        ";",
        "%_*",
        "ä",
        "e\u{301}",
        "\u{7f}",
        "\u{10ffff}",
        "||",
    ];
    for prefix in odd {
        put_all(&*driver, &[&format!("{prefix}1"), &format!("{prefix}2")]).await;
    }
    put_all(&*driver, &["x1", "xx"]).await;
    for prefix in odd {
        let mut expected = vec![format!("{prefix}1"), format!("{prefix}2")];
        if prefix == "%" {
            expected.extend(["%_*1".to_owned(), "%_*2".to_owned()]);
        }
        assert_eq!(
            keys(&*driver, prefix, 1).await,
            expected,
            "prefix {prefix:?}"
        );
    }
}

pub(super) async fn cursor(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &["a1", "a3", "a5", "b1"]).await;
    let after = async |cursor: &'static str| -> Vec<String> {
        let page = driver.list("a", Some(cursor), 10).await.expect("a list");
        page.entries.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(after("a1").await, ["a3", "a5"]);
    assert_eq!(
        after("a2").await,
        ["a3", "a5"],
        "a cursor whose key is deleted"
    );
    assert_eq!(
        after("A").await,
        ["a1", "a3", "a5"],
        "a cursor before the prefix"
    );
    assert!(after("a5").await.is_empty());
    assert!(after("b").await.is_empty(), "a cursor after the prefix");
}

pub(super) async fn nothing(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &["a"]).await;
    for prefix in ["b", "a1", "0"] {
        let page = driver.list(prefix, None, 10).await.expect("a list");
        assert!(page.entries.is_empty() && page.next.is_none(), "{prefix}");
    }
}

pub(super) async fn big(subject: Subject) {
    let driver = subject.driver();
    let expected: Vec<_> = (0..8).map(|number| format!("big{number}")).collect();
    for key in &expected {
        driver
            .put(Put::new(key.clone(), vec![7; 4 << 20]))
            .await
            .expect("a put");
    }
    assert_eq!(keys(&*driver, "big", 100).await, expected);
}
