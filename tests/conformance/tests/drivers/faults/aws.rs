//! Services of Amazon that are gone, slow, hostile, or refuse: each says so, and the driver comes back by itself.

pub(super) mod made_up;
mod messages;
pub(super) mod objects;
pub(super) mod tables;

use super::run;
use crate::{
    backends::AWS,
    open::{component, site},
};
use bytes::Bytes;
use libtest_mimic::Trial;
use servers::{Moto, Proxy, Server};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result, Trace,
    bindings::{Driver, Outcome, Request},
};

const SERVED: [(&str, fn()); 5] = [
    ("a_wrong_key_says_so", wrong_key),
    ("a_bucket_that_is_missing_says_so", || run(no_bucket())),
    ("a_server_that_is_gone_is_found_again", || run(gone())),
    ("a_write_that_is_cut_short_is_unknown", || run(cut_short())),
    ("a_slow_server_is_waited_for", || run(slow())),
];

pub(super) fn trials() -> Vec<Trial> {
    let served = [
        &SERVED[..],
        &messages::TESTS,
        &objects::TESTS,
        &tables::TESTS,
    ]
    .concat();
    super::made_up::trials("aws", &AWS, &served, &made_up::TESTS)
}

/// Opens a bucket's binding by this key, with more metadata in YAML.
async fn bucket(
    address: SocketAddr,
    directory: &Path,
    (key, secret): (&str, &str),
    more: &str,
) -> Result<Arc<dyn Driver>> {
    let metadata = format!(
        "[{{ name: endpoint, value: \"http://{address}\" }}, {{ name: region, value: us-east-1 }}, \
         {{ name: bucket, value: the-bucket }}, {{ name: accessKey, value: {key} }}, \
         {{ name: secretKey, value: {secret} }}{more}]"
    );
    let registry = wythe_drivers::registry();
    let component = component("bindings", "aws.s3", &metadata);
    registry.bindings.open(&component, site(directory)).await
}

const KEY: (&str, &str) = ("an-id", "kept-secret");

async fn ask(driver: &dyn Driver, operation: &str, data: &[u8]) -> Result<Outcome> {
    let metadata = [("key".to_owned(), "a/b".to_owned())];
    let request = Request {
        operation,
        data: &Bytes::copy_from_slice(data),
        metadata: &metadata,
        max_bytes: 1 << 20,
        trace: Trace::start(),
        account: None,
    };
    driver.invoke(request).await
}

/// The text of an XML element.
fn part<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, after) = xml.split_once(&format!("<{name}>")).expect("it is there");
    after.split('<').next().expect("a text")
}

fn wrong_key() {
    let server = Server::start(Moto {
        checks_after: Some(4),
    });
    let server = server.expect("a server");
    let address = server.address();
    Moto::bucket(address, "the-bucket");
    let iam = |body: &str| Moto::form(address, ("iam", "us-east-1"), body);
    iam("Action=CreateUser&Version=2010-05-08&UserName=me");
    iam(
        "Action=PutUserPolicy&Version=2010-05-08&UserName=me&PolicyName=p&PolicyDocument=%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D",
    );
    let made = iam("Action=CreateAccessKey&Version=2010-05-08&UserName=me");
    let (id, secret) = (part(&made, "AccessKeyId"), part(&made, "SecretAccessKey"));
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path();
        let driver = bucket(address, place, (id, secret), "").await;
        let driver = driver.expect("its signatures are the server's");
        ask(&*driver, "create", b"one")
            .await
            .expect("it is created");
        assert_eq!(
            ask(&*driver, "get", b"").await.expect("it is there").data,
            "one"
        );
        for key in [(id, "wrong-secret"), ("unknown", "wrong-secret")] {
            let error = bucket(address, place, key, "")
                .await
                .err()
                .expect("an error");
            assert_eq!(error.kind(), Kind::Denied, "{error}");
            let expected = "check `accessKey`, `secretKey` and `sessionToken`";
            assert!(error.message().contains(expected), "{error}");
            let text = format!("{}{error:?}", error.chain());
            assert!(!text.contains("wrong-secret"), "{text}");
        }
        let described = driver.describe().expect("a description");
        assert_eq!(
            described,
            format!("bucket `the-bucket` at {address}, region us-east-1")
        );
    });
}

async fn no_bucket() {
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let opened = bucket(server.address(), directory.path(), KEY, "").await;
    let error = opened.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected =
        "there is no bucket `the-bucket`: make it, or check `bucket`, `region` and `endpoint`";
    assert!(error.message().contains(expected), "{error}");
    assert!(
        error.message().contains(&server.address().to_string()),
        "{error}"
    );
}

/// A server of memory loses its bucket with its process; what is made anew is found without a word.
async fn gone() {
    let server = Server::start(Moto::default()).expect("a server");
    let address = server.address();
    Moto::bucket(address, "the-bucket");
    let directory = tempfile::tempdir().expect("a directory");
    let driver = bucket(address, directory.path(), KEY, "")
        .await
        .expect("it opens");
    ask(&*driver, "create", b"one")
        .await
        .expect("it is created");
    server.kill();
    let error = ask(&*driver, "create", b"two")
        .await
        .expect_err("no server");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert!(driver.health().await.is_err());
    server.restart();
    let error = ask(&*driver, "get", b"").await.expect_err("no bucket");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert!(error.message().contains("there is no bucket"), "{error}");
    Moto::bucket(address, "the-bucket");
    driver.health().await.expect("it is back");
    let error = ask(&*driver, "get", b"").await.expect_err("nothing");
    assert_eq!(error.kind(), Kind::NotFound, "{}", error.chain());
    ask(&*driver, "create", b"three")
        .await
        .expect("it is created");
    driver.close().await.expect("it closes");
    let error = ask(&*driver, "get", b"").await.expect_err("closed");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
}

/// A read that is cut short has changed nothing; of a write nobody knows.
async fn cut_short() {
    let server = Server::start(Moto::default()).expect("a server");
    Moto::bucket(server.address(), "the-bucket");
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    // The time of an object is a minute more, so that the connection is cut where the test would wait.
    let driver = bucket(proxy.address(), directory.path(), KEY, "")
        .await
        .expect("it opens");
    let kind = |error: Result<Outcome>| error.expect_err("an error").kind();
    server.pause();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.drop_connections();
    };
    let (written, ()) = tokio::join!(ask(&*driver, "create", b"one"), cut);
    assert_eq!(kind(written), Kind::UnknownOutcome);
    let cut = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.drop_connections();
    };
    let (read, ()) = tokio::join!(ask(&*driver, "get", b""), cut);
    assert_eq!(kind(read), Kind::Unavailable);
    server.resume();
    proxy.cut();
    let read = ask(&*driver, "get", b"").await;
    assert_eq!(kind(read), Kind::Unavailable);
    proxy.restore();
    ask(&*driver, "create", b"two").await.expect("it is back");
    assert_eq!(
        ask(&*driver, "get", b"").await.expect("it is there").data,
        "two"
    );
}

async fn slow() {
    let server = Server::start(Moto::default()).expect("a server");
    Moto::bucket(server.address(), "the-bucket");
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    proxy.delay(Duration::from_millis(50));
    let driver = bucket(proxy.address(), directory.path(), KEY, "")
        .await
        .expect("it opens");
    proxy.throttle(100_000);
    let data = vec![b'x'; 100_000];
    ask(&*driver, "create", &data).await.expect("it is created");
    let got = ask(&*driver, "get", b"").await.expect("it is there");
    assert!(got.data == data);
}

async fn refused(address: SocketAddr, more: &str) -> Error {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = bucket(address, directory.path(), KEY, more).await;
    opened.err().expect("an error")
}
