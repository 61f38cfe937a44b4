//! The cache against its contract, with a clock of the test's own.
use super::*;
use wythe_sdk::Kind;

fn cache(max_entries: usize) -> Cache {
    Cache::new(
        Config {
            max_entries,
            max_bytes: 1 << 24,
            default_ttl: None,
        },
        41,
    )
}

fn put(cache: &mut Cache, key: &str, options: PutOptions, now: u64) -> Result<String> {
    cache.put(key.to_owned(), b"value".to_vec(), options, now)
}

fn with_ttl(ttl: u64) -> PutOptions {
    PutOptions {
        ttl: Some(ttl),
        ..PutOptions::new()
    }
}

fn keys(page: &Page) -> Vec<&str> {
    page.entries.iter().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn an_entry_is_there_until_its_millisecond() {
    let mut cache = cache(10);
    put(&mut cache, "a", with_ttl(5), 100).unwrap();
    assert_eq!(cache.get("a", 104).unwrap().expires, Some(105));
    assert!(cache.get("a", 105).is_none());
    put(&mut cache, "a", PutOptions::new().if_absent(), 105).unwrap();
    assert_eq!(cache.get("a", u64::MAX).unwrap().expires, None);
}

#[test]
fn a_default_time_to_live_is_for_puts_without_one() {
    let mut cache = Cache::new(
        Config {
            max_entries: 9,
            max_bytes: 999,
            default_ttl: Some(10),
        },
        0,
    );
    put(&mut cache, "a", PutOptions::new(), 0).unwrap();
    put(&mut cache, "b", with_ttl(20), 0).unwrap();
    assert_eq!(keys(&cache.list("", None, 9, 10)), ["b"]);
}

#[test]
fn an_etag_never_comes_twice() {
    let mut cache = cache(10);
    let first = put(&mut cache, "a", PutOptions::new(), 0).unwrap();
    cache
        .delete("a", &Condition::Matches(first.clone()), 0)
        .unwrap();
    let second = put(&mut cache, "a", PutOptions::new(), 0).unwrap();
    assert_ne!(first, second);
    let stale = put(&mut cache, "a", PutOptions::new().if_match(&first), 0).unwrap_err();
    assert_eq!(stale.kind(), Kind::Conflict);
    put(&mut cache, "a", PutOptions::new().if_match(&second), 0).unwrap();
}

#[test]
fn deleting_follows_its_condition() {
    let mut cache = cache(10);
    cache.delete("a", &Condition::Always, 0).unwrap();
    let kind = |result: Result<()>| result.unwrap_err().kind();
    assert_eq!(
        kind(cache.delete("a", &Condition::Matches("x".to_owned()), 0)),
        Kind::Conflict
    );
    assert_eq!(
        kind(cache.delete("a", &Condition::Absent, 0)),
        Kind::Invalid
    );
}

#[test]
fn the_longest_unused_goes_first() {
    let mut cache = cache(2);
    put(&mut cache, "a", PutOptions::new(), 0).unwrap();
    put(&mut cache, "b", PutOptions::new(), 0).unwrap();
    cache.get("a", 0).unwrap();
    put(&mut cache, "c", PutOptions::new(), 0).unwrap();
    assert_eq!(keys(&cache.list("", None, 9, 0)), ["a", "c"]);
    cache.config.max_bytes = 6;
    put(&mut cache, "d", PutOptions::new(), 0).unwrap();
    assert_eq!(keys(&cache.list("", None, 9, 0)), ["d"]);
    assert_eq!(
        (cache.bytes, cache.by_use.len(), cache.by_expiry.len()),
        (6, 1, 0)
    );
}

fn writing(key: &str, options: PutOptions) -> Operation {
    let (key, value) = (key.to_owned(), Vec::new());
    Operation::Put(Put {
        key,
        value,
        options: Some(options),
    })
}

fn deleting(key: &str) -> Operation {
    Operation::Delete(Delete {
        key: key.to_owned(),
        condition: Condition::Always,
    })
}

#[test]
fn a_transaction_that_fails_changes_nothing() {
    let mut cache = cache(10);
    put(&mut cache, "a", PutOptions::new(), 0).unwrap();
    let if_absent = || PutOptions::new().if_absent();
    let taken = vec![writing("b", PutOptions::new()), writing("a", if_absent())];
    let twice = vec![writing("c", PutOptions::new()), writing("c", if_absent())];
    let many = (0..=MAX_OPERATIONS).map(|_| deleting("a")).collect();
    for (operations, kind) in [
        (taken, Kind::Conflict),
        (twice, Kind::Conflict),
        (many, Kind::Invalid),
    ] {
        assert_eq!(cache.transact(operations, 0).unwrap_err().kind(), kind);
        assert_eq!(keys(&cache.list("", None, 9, 0)), ["a"]);
    }
}

#[test]
fn each_operation_sees_those_before_it() {
    let mut cache = cache(10);
    put(&mut cache, "a", PutOptions::new(), 0).unwrap();
    let anew = writing("a", PutOptions::new().if_absent());
    let operations = vec![
        deleting("a"),
        anew,
        writing("b", PutOptions::new()),
        deleting("b"),
    ];
    let etags = cache.transact(operations, 0).unwrap();
    assert_eq!(
        etags.iter().map(Option::is_some).collect::<Vec<_>>(),
        [false, true, true, false]
    );
    assert_eq!(cache.get("a", 0).map(|entry| entry.etag), etags[1]);
    assert!(cache.get("b", 0).is_none());
}

#[test]
fn a_fence_only_rises() {
    let mut cache = cache(10);
    let fence = |token| PutOptions::new().fence(token);
    put(&mut cache, "a", fence(7), 0).unwrap();
    put(&mut cache, "a", PutOptions::new(), 0).unwrap();
    let late = put(&mut cache, "a", fence(6), 0).unwrap_err();
    assert_eq!(
        (late.kind(), late.message()),
        (Kind::Conflict, "a higher fence than 6 has written here: 7")
    );
    let falls = vec![writing("b", fence(2)), writing("b", fence(1))];
    assert_eq!(cache.transact(falls, 0).unwrap_err().kind(), Kind::Conflict);
    assert!(cache.get("b", 0).is_none());
    let anew = vec![deleting("a"), writing("a", fence(2))];
    cache.transact(anew, 0).unwrap();
    put(&mut cache, "a", fence(2), 0).unwrap();
}

#[test]
fn lists_pages_in_key_order() {
    let mut cache = cache(10);
    for key in ["b/2", "a", "b/1", "b", "b/3", "c"] {
        put(&mut cache, key, PutOptions::new(), 0).unwrap();
    }
    let first = cache.list("b/", None, 2, 0);
    assert_eq!(
        (keys(&first), first.next.as_deref()),
        (vec!["b/1", "b/2"], Some("b/2"))
    );
    // The cursor holds though its entry is gone.
    cache.delete("b/2", &Condition::Always, 0).unwrap();
    let second = cache.list("b/", first.next.as_deref(), 2, 0);
    assert_eq!((keys(&second), second.next.as_deref()), (vec!["b/3"], None));
    assert_eq!(
        keys(&cache.list("", None, 9, 0)),
        ["a", "b", "b/1", "b/3", "c"]
    );
}

#[test]
fn a_page_has_a_limit() {
    let mut cache = cache(10);
    for key in ["a", "b", "c"] {
        cache
            .put(
                key.to_owned(),
                vec![0; PAGE_BYTES - 1],
                PutOptions::new(),
                0,
            )
            .unwrap();
    }
    let page = cache.list("", None, 9, 0);
    assert_eq!(
        (keys(&page), page.next.as_deref()),
        (vec!["a", "b"], Some("b"))
    );
    assert_eq!(keys(&cache.list("", Some("b"), 9, 0)), ["c"]);
}

#[test]
fn a_value_has_a_limit() {
    let error = cache(1)
        .put(
            "a".to_owned(),
            vec![0; MAX_VALUE_BYTES + 1],
            PutOptions::new(),
            0,
        )
        .unwrap_err();
    assert_eq!(
        error.message(),
        "a value has at most 4194304 bytes, not 4194305"
    );
}
