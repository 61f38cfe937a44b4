//! Batches that are compressed, by this host and by the broker.

use super::{item, open};
use crate::faults::events;
use servers::{Kafka, Server};
use std::net::SocketAddr;
use wythe_blocks::pubsub::{Message, SubscribeOptions};

/// Publishes by each compression, and reads all of it.
async fn round(address: SocketAddr) {
    let reader = open(address, "").await.expect("it opens");
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let consumer = reader
            .subscribe(codec, "group", SubscribeOptions::default())
            .await
            .expect("a consumer");
        let more = item("compression", codec) + &item("clientID", codec);
        let writer = open(address, &more).await.expect("it opens");
        let messages = (0..200).map(|number| Message {
            attributes: vec![("text".to_owned(), "much of the same ".repeat(10))],
            ordering_key: Some("one".to_owned()),
            ..events::message(number)
        });
        for answer in writer.publish_many(codec, messages.collect()).await {
            answer.expect("a publish");
        }
        let mut next = 0;
        while next < 200 {
            for received in consumer.pull(100).await.expect("events") {
                assert_eq!(events::number(&received.message), next, "{codec}");
                next += 1;
                let answers = consumer.ack(vec![received.receipt]).await;
                answers
                    .into_iter()
                    .for_each(|answer| answer.expect("an ack"));
            }
        }
    }
}

pub(super) async fn by_host(server: Server) {
    round(server.address()).await;
}

/// A broker that compresses in a way of its own gives that to no client that asks in an old version.
pub(super) async fn by_broker() {
    let program = Kafka::default().with("compression.type=zstd");
    let server = Server::start(program).expect("a broker");
    round(server.address()).await;
}
