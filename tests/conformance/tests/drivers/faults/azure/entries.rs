//! State beside the suite: blobs of a daprd, keys that are odd, and writes that are cut short.

use super::{container, settings, started};
use crate::{
    faults::{aws::objects::ask, aws::tables::write_through, run},
    open::{component, site},
};
use servers::{Azurite, Proxy};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Key, Kind, Result,
    state::{Condition, Driver, Put},
};

pub(super) const TESTS: [(&str, fn()); 4] = [
    ("blobs_of_dapr_are_read_and_written", || run(blobs())),
    ("odd_keys_have_blobs_of_their_own", || run(odd())),
    ("a_put_that_is_cut_short_is_unknown", || run(cut_short())),
    ("writers_lose_nothing_of_what_was_acknowledged", || {
        run(writers())
    }),
];

async fn store(address: SocketAddr, directory: &Path, more: &str) -> Result<Arc<dyn Driver>> {
    let more = format!("{}{more}", super::CONTAINER);
    let metadata = settings(address, Azurite::KEY, &more);
    let registry = wythe_drivers::registry();
    let component = component("state", "azure.blobstorage", &metadata);
    registry.state.open(&component, site(directory)).await
}

/// The name of a blob is the whole key, its data the value, as with version 2 of Dapr's store.
async fn blobs() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let driver = store(server.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    let blobs = container(server.address(), directory.path(), Azurite::KEY, "").await;
    let blobs = blobs.expect("it opens");
    let metadata = [("blobName", "app||a"), ("contentType", "application/json")];
    let created = ask(&*blobs, "create", "{\"n\":1}", &metadata).await;
    created.expect("it is created");
    let key = Key::from("app||a");
    let entry = driver.get(&key).await.expect("a read").expect("an entry");
    assert_eq!(&entry.value[..], b"{\"n\":1}");
    assert_eq!(entry.content_type.as_deref(), Some("application/json"));
    let mut put = Put::new("app||a", "2");
    put.options.condition = Condition::Matches(entry.etag.clone());
    driver.put(put.clone()).await.expect("its etag is known");
    let error = driver.put(put).await.expect_err("its etag is another one");
    assert_eq!(error.kind(), Kind::Conflict);
    let got = ask(&*blobs, "get", "", &[("blobName", "app||a")]).await;
    assert_eq!(got.expect("it is there").data, "2");
}

async fn odd() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let driver = store(server.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    let long = "k".repeat(1_024);
    let keys = [
        "one||a/../../two||b",
        "two||b",
        "one||a\\b",
        "one||a/b",
        "one||a.",
        "one||a",
        "=e",
        "one||a//b",
        "one||\r\nx: y",
        &format!("one||{long}"),
        &format!("two||{long}"),
    ];
    for key in keys {
        let put = driver.put(Put::new(key, key.to_owned())).await;
        put.unwrap_or_else(|error| panic!("{key:?}: {}", error.chain()));
    }
    for key in keys {
        let entry = driver.get(&key.into()).await.expect("a read");
        assert_eq!(entry.expect("an entry").value, key);
    }
}

async fn cut_short() {
    let server = started();
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let directory = tempfile::tempdir().expect("a directory");
    let driver = store(proxy.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    let cut = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.drop_connections();
    };
    server.pause();
    let (put, ()) = tokio::join!(driver.put(Put::new("a", "1")), cut());
    assert_eq!(put.expect_err("a cut").kind(), Kind::UnknownOutcome);
    let key = "a".into();
    let (got, ()) = tokio::join!(driver.get(&key), cut());
    assert_eq!(got.expect_err("a cut").kind(), Kind::Unavailable);
    server.resume();
    proxy.cut();
    let error = driver.get(&key).await.expect_err("no way");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    // Whether the end of a connection is seen before the request is sent on it is a matter of chance.
    let error = driver.put(Put::new("a", "2")).await.expect_err("no way");
    let kinds = [Kind::Unavailable, Kind::UnknownOutcome];
    assert!(kinds.contains(&error.kind()), "{}", error.chain());
    proxy.restore();
    driver.put(Put::new("a", "3")).await.expect("it is back");
}

/// Writers over a network that fails.
async fn writers() {
    let server = started();
    let proxy = Arc::new(Proxy::start(server.address()).expect("a proxy"));
    let directory = tempfile::tempdir().expect("a directory");
    let driver = store(proxy.address(), directory.path(), "").await;
    write_through(driver.expect("it opens"), &proxy).await;
}
