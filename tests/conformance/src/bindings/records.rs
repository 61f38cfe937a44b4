//! The duties of an output that keeps records.

use super::{
    Subject,
    steps::{ask, create, get, key, list, put, remove},
};
use futures::future::join_all;
use wythe_blocks::Kind;

pub(super) async fn operations(subject: Subject) {
    let features = subject.driver().features();
    let operations = features.operations;
    assert!(operations.is_sorted_by(|a, b| a < b), "{operations:?}");
    assert!(features.input || !operations.is_empty(), "it does nothing");
}

pub(super) async fn round_trip(subject: Subject) {
    let driver = subject.driver();
    let every_byte: Vec<u8> = (0..=255).collect();
    for data in [b"text".as_slice(), b"", every_byte.as_slice()] {
        let (key, name) = create(&*driver, data).await;
        let got = get(&*driver, &key, &name).await;
        assert_eq!(got.expect("it is there"), data);
    }
}

pub(super) async fn named(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    let created = ask(&*driver, "create", b"one", &[(&key, "mine")]).await;
    let metadata = created.expect("it is created").metadata;
    assert_eq!(metadata[0], (key.clone(), "mine".to_owned()));
    assert_eq!(
        get(&*driver, &key, "mine").await.expect("it is there"),
        "one"
    );
    let others = [create(&*driver, b"a").await, create(&*driver, b"b").await];
    assert_ne!(others[0].1, others[1].1, "each has a name of its own");
}

pub(super) async fn any_case(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    put(&*driver, &key.to_uppercase(), "mine", b"one").await;
    let got = get(&*driver, &key.to_lowercase(), "mine").await;
    assert_eq!(got.expect("it is there"), "one");
}

pub(super) async fn replaced(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    put(&*driver, &key, "mine", b"one and more").await;
    put(&*driver, &key, "mine", b"two").await;
    assert_eq!(
        get(&*driver, &key, "mine").await.expect("it is there"),
        "two"
    );
    assert_eq!(list(&*driver).await, r#"["mine"]"#);
}

pub(super) async fn deleted(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    put(&*driver, &key, "mine", b"one").await;
    put(&*driver, &key, "other", b"two").await;
    remove(&*driver, &key, "mine").await;
    assert_eq!(get(&*driver, &key, "mine").await, None);
    assert_eq!(get(&*driver, &key, "other").await.expect("it stays"), "two");
}

pub(super) async fn absent(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    let error = ask(&*driver, "get", b"", &[(&key, "nothing")]).await;
    assert_eq!(error.unwrap_err().kind(), Kind::NotFound);
}

pub(super) async fn deleted_twice(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    let error = ask(&*driver, "delete", b"", &[(&key, "nothing")]).await;
    assert_eq!(error.unwrap_err().kind(), Kind::NotFound);
}

pub(super) async fn nameless(subject: Subject) {
    let driver = subject.driver();
    for operation in ["get", "delete"] {
        let error = ask(&*driver, operation, b"", &[]).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{operation}");
    }
}

pub(super) async fn listed(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    assert_eq!(list(&*driver).await, "[]");
    for name in ["b", "a1", "a", "C", "b.txt"] {
        put(&*driver, &key, name, b"x").await;
    }
    assert_eq!(list(&*driver).await, r#"["C","a","a1","b","b.txt"]"#);
}

pub(super) async fn big(subject: Subject) {
    let driver = subject.driver();
    let data: Vec<u8> = (0..4 << 20).map(|index| (index % 251) as u8).collect();
    let (key, name) = create(&*driver, &data).await;
    let got = get(&*driver, &key, &name).await.expect("it is there");
    assert!(got == data, "{} bytes came back", got.len());
}

pub(super) async fn concurrent(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    let names: Vec<String> = (100..200).map(|number| format!("n{number}")).collect();
    join_all(
        names
            .iter()
            .map(|name| put(&*driver, &key, name, name.as_bytes())),
    )
    .await;
    let got = join_all(names.iter().map(|name| get(&*driver, &key, name))).await;
    for (name, got) in names.iter().zip(got) {
        assert_eq!(got.expect("it is there"), name.as_bytes());
    }
    assert_eq!(
        list(&*driver).await,
        format!("[\"{}\"]", names.join("\",\""))
    );
}

/// A read while others write sees the record of one of them, and no mixture.
pub(super) async fn whole(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    put(&*driver, &key, "mine", &[0; 10_000]).await;
    let writes = join_all((1..20).map(|turn| {
        let (driver, key) = (&driver, &key);
        async move { put(&**driver, key, "mine", &[turn; 10_000]).await }
    }));
    let reads = join_all((0..40).map(|_| get(&*driver, &key, "mine")));
    let (_, reads) = futures::join!(writes, reads);
    for read in reads {
        let read = read.expect("it is there all the time");
        let same = read.iter().all(|byte| byte == &read[0]);
        assert!(read.len() == 10_000 && same, "a mixture was read");
    }
}

pub(super) async fn restart(mut subject: Subject) {
    let (key, name) = create(&*subject.driver(), b"kept").await;
    subject.reopen().await;
    let got = get(&*subject.driver(), &key, &name).await;
    assert_eq!(got.expect("it is there"), "kept");
}
