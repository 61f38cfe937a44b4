//! Transactions, which are batches of the server: whole whatever happens to it, and honest where nobody knows.

use super::{
    super::{check, made_up, trouble},
    Kinds, error_of, make,
};
use futures::future::join_all;
use servers::{Nats, Proxy, Server};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use wythe_blocks::{
    Kind,
    state::{Driver, Operation, Put},
};

const WRITERS: usize = 6;

fn pair(name: &str, value: &str) -> Vec<Operation> {
    let put = |side| Operation::Put(Put::new(format!("{name}-{side}"), value.to_owned()));
    ["left", "right"].map(put).into()
}

/// A server without batches says so, and so does a bucket that was made without them.
pub(super) async fn without(kind: &'static Kinds, server: Server) {
    let address = server.address();
    let directory = tempfile::tempdir().expect("a directory");
    let made = kind.state(address, directory.path(), "").await;
    let is_newer = Nats::check_batches().is_ok();
    let features = made.expect("it opens").features();
    assert_eq!((features.transactions, features.ttl), (is_newer, is_newer));
    let body = r#"{"name":"KV_plain","subjects":["$KV.plain.>"],"retention":"limits","max_msgs_per_subject":1,"storage":"file"}"#;
    make(address, "STREAM.CREATE.KV_plain", body);
    let registry = wythe_drivers::registry();
    let metadata = super::metadata("state", address).replace("rows", "plain");
    let component = crate::open::component("state", "jetstream", &format!("[{metadata}]"));
    let site = crate::open::site(directory.path());
    let driver = registry.state.open(&component, site).await;
    let driver = driver.expect("it opens");
    assert!(!driver.features().transactions && !driver.features().ttl);
    let mut put = Put::new("a", "1");
    put.options.ttl = Some(Duration::from_secs(1));
    let error = driver.put(put).await.expect_err("an error");
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.message().contains("no `allow_msg_ttl`"), "{error}");
    let error = driver.transact(pair("a", "1")).await.expect_err("an error");
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.message().contains("no `allow_atomic`"), "{error}");
}

async fn write(driver: Arc<dyn Driver>, name: String, is_over: Arc<AtomicBool>) -> (u64, u64) {
    let (mut tried, mut acknowledged) = (0, 0);
    while !is_over.load(SeqCst) {
        tried += 1;
        match driver.transact(pair(&name, &tried.to_string())).await {
            Ok(_) => acknowledged = tried,
            Err(error) => {
                check(&error);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    (acknowledged, tried)
}

async fn read(driver: &dyn Driver, key: String) -> u64 {
    loop {
        match driver.get(&key.as_str().into()).await {
            Ok(entry) => {
                let value = entry.expect("an entry").value;
                return String::from_utf8_lossy(&value).parse().expect("a number");
            }
            Err(error) => check(&error),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Writers of pairs, while all happens to the server that can: both of a pair are of one transaction.
pub(super) async fn whole(kind: &'static Kinds) {
    let server = (kind.start)().expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let server = Arc::new(server);
    let proxy = Arc::new(Proxy::start(server.address()).expect("a proxy"));
    let more = ", { name: timeout, value: 1s }";
    let driver = kind.state(proxy.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    let is_over = Arc::new(AtomicBool::new(false));
    let name = |number| format!("pair{number}");
    let writers = (0..WRITERS).map(|number| {
        let written = write(driver.clone(), name(number), is_over.clone());
        tokio::spawn(written)
    });
    let writers: Vec<_> = writers.collect();
    trouble(&server, &proxy).await;
    is_over.store(true, SeqCst);
    for (number, writer) in writers.into_iter().enumerate() {
        let (acknowledged, tried) = writer.await.expect("a writer");
        assert!(acknowledged > 20, "{acknowledged} is too little");
        let name = name(number);
        let left = read(&*driver, format!("{name}-left")).await;
        let right = read(&*driver, format!("{name}-right")).await;
        assert_eq!(left, right, "half a transaction of {name}");
        let range = acknowledged..=tried;
        assert!(range.contains(&left), "{left} of {range:?} in {name}");
    }
}

/// Hosts that have more batches under way together than the server has at once.
pub(super) async fn many(kind: &'static Kinds) {
    let server = Server::start(Nats {
        streams: "limits { batch { max_inflight_per_stream: 10 } }".to_owned(),
        ..Nats::default()
    });
    let server = server.expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let mut drivers = Vec::new();
    for number in 0..5 {
        let more =
            format!(", {{ name: name, value: host{number} }}, {{ name: timeout, value: 60s }}");
        let driver = kind.state(server.address(), directory.path(), &more).await;
        drivers.push(driver.expect("it opens"));
    }
    let all = (0..300).map(|number| {
        let driver = drivers[number % drivers.len()].clone();
        async move { driver.transact(pair(&format!("many{number}"), "1")).await }
    });
    for answer in join_all(all).await {
        let etags = answer.unwrap_or_else(|error| panic!("{}", error.chain()));
        assert!(etags.iter().all(Option::is_some), "{etags:?}");
    }
}

/// The act of a made-up server at a message of a batch.
#[derive(Clone, Copy, PartialEq)]
enum Act {
    Hang(bool),
    End(bool),
    Say(&'static str),
}

const GREETING: &str =
    "INFO {\"version\":\"2.14.8\",\"headers\":true,\"jetstream\":true,\"max_payload\":1048576}\r\n";
const FOUND: &str = r#"{"config":{"storage":"file","num_replicas":1,"max_msgs_per_subject":1,"allow_atomic":true},"state":{}}"#;
const NO_MESSAGE: &str =
    r#"{"error":{"code":404,"err_code":10037,"description":"no message found"}}"#;

/// A server with one bucket that takes the messages of a batch, and at one of them, or the last one, acts.
fn batching(act: Act) -> SocketAddr {
    made_up::serve(move |stream, _| {
        // Whoever was cut off is gone.
        let _ = converse(stream, act);
    })
}

fn converse(stream: TcpStream, act: Act) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    writer.write_all(GREETING.as_bytes())?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        line.clear();
        match words.first().map(String::as_str) {
            Some("PING") => writer.write_all(b"PONG\r\n")?,
            Some("PUB" | "HPUB") => {
                let size: usize = words
                    .last()
                    .and_then(|size| size.parse().ok())
                    .expect("a size");
                let mut data = vec![0; size + 2];
                reader.read_exact(&mut data)?;
                let is_last = String::from_utf8_lossy(&data).contains("Nats-Batch-Commit");
                let Some(text) = answer(&words[1], is_last, act) else {
                    return Ok(());
                };
                if let Some(text) = text {
                    let head = format!("MSG {} 1 {}\r\n", words[2], text.len());
                    writer.write_all(format!("{head}{text}\r\n").as_bytes())?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The answer to a message, or none; nothing where the connection ends.
fn answer(subject: &str, is_last: bool, act: Act) -> Option<Option<&'static str>> {
    let said = match subject {
        _ if subject.contains("STREAM.INFO") => FOUND,
        _ if subject.contains("STREAM.MSG.GET") => NO_MESSAGE,
        _ if subject.starts_with("$JS.API") => "{}",
        _ => match act {
            Act::Hang(at) if at == is_last => return Some(None),
            Act::End(at) if at == is_last => return None,
            Act::Say(text) if is_last => text,
            _ => "",
        },
    };
    Some(Some(said))
}

/// Servers that break off in the midst of a batch, and those that say what is none of their business.
pub(super) async fn unanswered(kind: &'static Kinds) {
    let count = r#"{"stream":"KV_rows","seq":9,"batch":"x","count":3}"#;
    let dropped = r#"{"error":{"code":400,"err_code":10176,"description":"batch is incomplete"}}"#;
    let large = r#"{"error":{"code":400,"err_code":10199,"description":"batch is too large: 1"}}"#;
    let off =
        r#"{"error":{"code":400,"err_code":10174,"description":"atomic publish is disabled"}}"#;
    let cases = [
        (Act::End(true), Kind::UnknownOutcome, "is not known"),
        (Act::Hang(true), Kind::UnknownOutcome, "is not known"),
        // The end of the batch was not sent, or too late: nothing has happened.
        (Act::Say(dropped), Kind::Unavailable, "under 64 tries"),
        (Act::Say(count), Kind::Internal, "is it NATS?"),
        (Act::Say(large), Kind::Invalid, "raise `max_msgs`"),
        (Act::Say(off), Kind::Unsupported, "set its `allow_atomic`"),
    ];
    for (act, expected, words) in cases {
        let error = error_of(kind, batching(act), pair("a", "1")).await;
        assert_eq!(error.kind(), expected, "{words}: {}", error.chain());
        assert!(error.chain().contains(words), "{words}: {}", error.chain());
    }
    // A connection that ends at the first message has taken no last one, or one that is dropped.
    let error = error_of(kind, batching(Act::End(false)), pair("a", "1")).await;
    check(&error);
}
