//! Names by prefix, in order, in pages.

use super::{Subject, steps::*};
use wythe_blocks::jobs::Driver;

/// All names with the prefix, over all pages.
async fn all(driver: &dyn Driver, prefix: &str, limit: u32) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = driver.list(APP, prefix, cursor.as_deref(), limit).await;
        let page = page.expect("a list");
        assert!(page.rows.len() <= limit as usize);
        found.extend(names(&page.rows));
        match page.next {
            Some(next) => {
                assert!(cursor.as_ref() < Some(&next), "the cursor goes forward");
                cursor = Some(next);
            }
            None => return found,
        }
    }
}

pub(super) async fn order(subject: Subject) {
    let driver = subject.driver();
    let shuffled = ["b", "a:1", "a", "a.1", "B", "a-1", "a_1", "a1", "9", "10"];
    for name in shuffled {
        put(&*driver, row(APP, name, 1)).await;
    }
    let mut sorted = shuffled;
    sorted.sort_unstable();
    assert_eq!(all(&*driver, "", 100).await, sorted);
    let with_a: Vec<_> = sorted.iter().filter(|name| name.starts_with('a')).collect();
    assert_eq!(
        all(&*driver, "a", 100).await.iter().collect::<Vec<_>>(),
        with_a
    );
    assert!(all(&*driver, "c", 100).await.is_empty());
    assert!(all(&*driver, "aa", 100).await.is_empty());
}

pub(super) async fn pages(subject: Subject) {
    let driver = subject.driver();
    let names: Vec<_> = (0..25).map(|number| format!("k{number:02}")).collect();
    for name in names.iter().map(String::as_str).chain(["j", "l"]) {
        put(&*driver, row(APP, name, 1)).await;
    }
    for limit in [1, 2, 24, 25, 26, 1_000] {
        assert_eq!(all(&*driver, "k", limit).await, names, "pages of {limit}");
    }
}

pub(super) async fn cursor(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &[("a1", 1), ("a3", 1), ("a5", 1), ("b1", 1)]).await;
    for (cursor, expected) in [
        ("a1", vec!["a3", "a5"]),
        ("a2", vec!["a3", "a5"]),
        ("A", vec!["a1", "a3", "a5"]),
        ("a5", vec![]),
        ("b", vec![]),
    ] {
        let page = driver
            .list(APP, "a", Some(cursor), 10)
            .await
            .expect("a list");
        assert_eq!(names(&page.rows), expected, "after {cursor}");
        assert_eq!(page.next, None);
    }
}
