//! A cluster that is made up.

use super::*;
use crate::{
    api::NEEDED,
    settings,
    wire::{Reader, Writer},
};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

fn client(brokers: &str, limit: &str) -> Client {
    let config = json!({ "brokers": brokers, "timeout": limit });
    let parsed = serde_json::from_value(config).map(settings::parse);
    Client::new(parsed.expect("settings").expect("good ones").target)
}

/// A broker whose topics are all there, and have no partitions.
fn empty() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || while answer(&stream, address.port()).is_some() {});
        }
    });
    address.to_string()
}

fn answer(mut stream: &TcpStream, port: u16) -> Option<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut request = vec![0; usize::try_from(i32::from_be_bytes(length)).ok()?];
    stream.read_exact(&mut request).ok()?;
    let mut request = Reader(&request);
    let (key, _, number) = (
        request.i16().ok()?,
        request.i16().ok()?,
        request.i32().ok()?,
    );
    request.nullable().ok()?;
    let mut out = Writer::default();
    out.i32(number);
    if key == 18 {
        out.i16(0);
        out.array(NEEDED.iter(), |out, (key, version)| {
            out.i16(*key);
            out.i16(*version);
            out.i16(*version);
        });
    } else {
        let topics = request.array(Reader::string).ok()?;
        metadata(&mut out, port, &topics);
    }
    stream
        .write_all(&i32::try_from(out.0.len()).ok()?.to_be_bytes())
        .ok()?;
    stream.write_all(&out.0).ok()
}

fn metadata(out: &mut Writer, port: u16, topics: &[String]) {
    out.i32(0);
    out.array([port].iter(), |out, port| {
        out.i32(1);
        out.string("127.0.0.1");
        out.i32((*port).into());
        out.nullable(None);
    });
    out.nullable(None);
    out.i32(1);
    out.array(topics.iter(), |out, topic| {
        out.i16(0);
        out.string(topic);
        out.i8(0);
        out.array(std::iter::empty::<()>(), |_, ()| {});
    });
}

/// A message has no partition to go to in it, and the number of one would be divided by none.
#[tokio::test]
async fn a_topic_without_partitions_is_none() {
    let client = client(&empty(), "300ms");
    for _ in 0..2 {
        let error = client
            .topic("topic")
            .await
            .expect_err("it has no partitions");
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    }
    assert_eq!(client.count("topic").await.expect("an answer"), 0);
    assert!(client.topic("topic").await.is_err(), "nor is it one later");
}

/// A broker names others. Were all of them tried, a call would take as many times its own, and the host would look for open
/// ports wherever it is sent.
#[tokio::test]
async fn brokers_that_take_no_connection_are_not_all_tried() {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let client = client(&format!("127.0.0.1:{port}"), "10ms");
    let others = (1..=200).map(|number| (number, (format!("127.0.0.{number}"), port)));
    client.known.lock().brokers = others.collect();
    client.any().await.err().expect("nobody says a word");
    let tried = client.lines.lock().len();
    assert!((1..50).contains(&tried), "{tried}");
}
