//! Tables beside the suite: rows of a daprd, tables that do not fit, and writes that are cut short.

use crate::{
    backends::TABLE,
    faults::{check, run},
    open::{component, site},
};
use servers::{Moto, Proxy, Server};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Kind, Result,
    state::{Condition, Driver, Put},
};

pub(super) const TESTS: [(&str, fn()); 4] = [
    ("rows_of_dapr_are_read_and_written", || run(rows())),
    ("a_table_that_does_not_fit_says_so", || run(odd())),
    ("a_put_that_is_cut_short_is_unknown", || run(cut_short())),
    ("writers_lose_nothing_of_what_was_acknowledged", || {
        run(writers())
    }),
];

const DYNAMO: (&str, &str) = ("dynamodb", "us-east-1");

async fn table(address: SocketAddr, directory: &Path, more: &str) -> Result<Arc<dyn Driver>> {
    let metadata = format!(
        "[{{ name: endpoint, value: \"http://{address}\" }}, {{ name: region, value: us-east-1 }}, \
         {{ name: accessKey, value: a }}, {{ name: secretKey, value: b }}, {{ name: table, value: table }}{more}]"
    );
    let registry = wythe_drivers::registry();
    let component = component("state", "aws.dynamodb", &metadata);
    registry.state.open(&component, site(directory)).await
}

fn ask(server: &Server, operation: &str, body: &str) -> String {
    let target = format!("DynamoDB_20120810.{operation}");
    Moto::json(server.address(), DYNAMO, &target, body)
}

fn started() -> Server {
    let server = Server::start(Moto::default()).expect("a server");
    ask(&server, "CreateTable", TABLE);
    server
}

async fn rows() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: ttlAttributeName, value: end }";
    let driver = table(server.address(), directory.path(), more)
        .await
        .expect("it opens");
    let of_dapr =
        r#"{"TableName":"table","Item":{"key":{"S":"app||a"},"value":{"S":"{\"n\":1}"}}}"#;
    ask(&server, "PutItem", of_dapr);
    let entry = driver
        .get(&"app||a".into())
        .await
        .expect("a read")
        .expect("an entry");
    assert_eq!((&entry.value[..], entry.expires), (&b"{\"n\":1}"[..], None));
    let mut put = Put::new("app||a", "2");
    put.options.condition = Condition::Matches(entry.etag);
    put.options.ttl = Some(Duration::from_secs(100));
    driver.put(put).await.expect("its etag is known");
    let asked = r#"{"TableName":"table","Key":{"key":{"S":"app||a"}}}"#;
    let item = ask(&server, "GetItem", asked);
    for part in [
        r#""value": {"S": "2"}"#,
        r#""etag": {"S":"#,
        r#""end": {"N":"#,
    ] {
        assert!(item.contains(part), "{item}");
    }
    // Its time is over, and the service has not removed it.
    let over =
        r#"{"TableName":"table","Item":{"key":{"S":"b"},"value":{"S":"1"},"end":{"N":"1000"}}}"#;
    ask(&server, "PutItem", over);
    assert_eq!(driver.get(&"b".into()).await.expect("a read"), None);
    let mut put = Put::new("b", "2");
    put.options.condition = Condition::Absent;
    driver.put(put).await.expect("there is none");
}

async fn odd() {
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let error = async |more: &str| {
        let opened = table(server.address(), directory.path(), more).await;
        opened.err().expect("an error")
    };
    let missing = error("").await;
    assert_eq!(missing.kind(), Kind::Unavailable);
    let expected = "there is no table `table`: make it, or check `table`, `region` and `endpoint`";
    assert!(missing.message().contains(expected), "{missing}");
    ask(&server, "CreateTable", TABLE);
    let other = error(", { name: partitionKey, value: id }").await;
    assert_eq!(other.kind(), Kind::Invalid);
    assert!(
        other.message().contains("has other keys than `id` alone"),
        "{other}"
    );
    for (setting, expected) in [
        ("partitionKey, value: value", "partitionKey: expected"),
        (
            "ttlAttributeName, value: etag",
            "ttlAttributeName: expected",
        ),
    ] {
        let error = error(&format!(", {{ name: {setting} }}")).await;
        assert!(error.message().contains(expected), "{error}");
    }
}

async fn cut_short() {
    let server = started();
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: timeout, value: 500ms }";
    let driver = table(proxy.address(), directory.path(), more)
        .await
        .expect("it opens");
    proxy.silence();
    let error = driver.put(Put::new("a", "1")).await.expect_err("silence");
    assert_eq!(error.kind(), Kind::UnknownOutcome, "{}", error.chain());
    let error = driver.get(&"a".into()).await.expect_err("silence");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    proxy.restore();
    proxy.cut();
    let error = driver.put(Put::new("a", "2")).await.expect_err("no way");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    proxy.restore();
    driver.put(Put::new("a", "3")).await.expect("it is back");
}

/// Breaks connections, and then the way itself, twice each.
async fn disturb(proxy: &Proxy) {
    for turn in 0..4 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        match turn % 2 {
            0 => proxy.drop_connections(),
            _ => {
                proxy.cut();
                tokio::time::sleep(Duration::from_millis(300)).await;
                proxy.restore();
            }
        }
    }
}

/// Writers of one counter each, over a network that fails: an acknowledged number is there, or a later one that was tried.
async fn writers() {
    let server = Arc::new(started());
    let proxy = Arc::new(Proxy::start(server.address()).expect("a proxy"));
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: timeout, value: 1s }";
    let driver = table(proxy.address(), directory.path(), more)
        .await
        .expect("it opens");
    write_through(driver, &proxy).await;
}

/// Writes over a network that is disturbed, and looks whether all that was acknowledged is there.
pub(in crate::faults) async fn write_through(driver: Arc<dyn Driver>, proxy: &Proxy) {
    let over = tokio_util::sync::CancellationToken::new();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (driver, over) = (driver.clone(), over.clone());
            tokio::spawn(async move {
                let (key, mut acknowledged, mut tried) = (format!("key-{writer}"), 0, 0);
                while !over.is_cancelled() {
                    tried += 1;
                    match driver.put(Put::new(key.clone(), tried.to_string())).await {
                        Ok(_) => acknowledged = tried,
                        Err(error) => check(&error),
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                (key, acknowledged, tried)
            })
        })
        .collect();
    disturb(proxy).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    over.cancel();
    for writer in writers {
        let (key, acknowledged, tried) = writer.await.expect("a writer ends well");
        let entry = driver
            .get(&key.as_str().into())
            .await
            .expect("a read")
            .expect("an entry");
        let found: u64 = String::from_utf8_lossy(&entry.value)
            .parse()
            .expect("a number");
        assert!(acknowledged > 5, "{acknowledged} is too little");
        assert!((acknowledged..=tried).contains(&found), "{key} is {found}");
    }
}
