//! One group, one consumer: what is published arrives, again and again until it is acknowledged.

use super::{Subject, steps::*};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use wythe_blocks::{Kind, pubsub::Message};

pub(super) async fn ten(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    for number in 0..10 {
        publish(&*driver, "topic", message(number)).await;
    }
    let received = take(&*consumer, 10).await;
    assert_eq!(sorted(texts(&received)), numbers(0, 10));
    expect_quiet(&*consumer).await;
}

pub(super) async fn round_trip(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let messages = [
        Message::default(),
        Message {
            data: Bytes::from_static(b"\x00\xff"),
            content_type: "application/cloudevents+json".into(),
            ordering_key: Some("a key ä".into()),
            attributes: vec![
                ("traceparent".into(), "00-1-2-01".into()),
                ("empty".into(), String::new()),
            ],
            delay: None,
        },
    ];
    for expected in messages {
        publish(&*driver, "topic", expected.clone()).await;
        let received = take(&*consumer, 1).await.remove(0);
        assert_eq!(
            Message {
                delay: None,
                ..received.message
            },
            expected
        );
        assert_eq!(received.attempt, 1);
    }
}

pub(super) async fn big(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let data: Bytes = (0..4 << 20).map(|at: u32| (at ^ (at >> 8)) as u8).collect();
    publish(
        &*driver,
        "topic",
        Message {
            data: data.clone(),
            ..Message::default()
        },
    )
    .await;
    assert!(take(&*consumer, 1).await[0].message.data == data);
}

pub(super) async fn at_most(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 7).await;
    let mut all = Vec::new();
    while all.len() < 7 {
        // `pull` checks that no more than asked arrive.
        all.extend(pull(&*consumer, 3).await);
    }
    assert_eq!(sorted(texts(&all)), numbers(0, 7));
}

pub(super) async fn waits(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let (received, ()) = tokio::join!(pull_one(&*consumer), async {
        tokio::time::sleep(QUIET).await;
        publish(&*driver, "topic", message("late")).await;
    });
    assert_eq!(text(&received), "late");
}

pub(super) async fn dropped_pull(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    for number in 0..20 {
        // Dropped at every possible moment, some before and some after the message is there.
        let waiting = tokio::time::timeout(Duration::from_micros(number * 200), consumer.pull(1));
        let (pulled, ()) = tokio::join!(waiting, publish(&*driver, "topic", message(number)));
        let received = match pulled {
            Ok(pulled) => pulled.expect("a pull").remove(0),
            Err(_) => pull_one(&*consumer).await,
        };
        assert_eq!((text(&received), received.attempt), (number.to_string(), 1));
        ack(&*consumer, &received).await;
    }
}

/// The handler fails on the first two messages and on every fifth, as in Dapr's suite.
pub(super) async fn refused(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 10).await;
    let mut done: BTreeMap<usize, u32> = BTreeMap::new();
    let mut count = 0;
    while done.len() < 10 {
        let received = pull_one(&*consumer).await;
        count += 1;
        if count <= 2 || count % 5 == 0 {
            nack(&*consumer, &received, Duration::ZERO).await;
        } else {
            ack(&*consumer, &received).await;
            done.insert(text(&received).parse().expect("a number"), received.attempt);
        }
    }
    assert_eq!(
        done.keys().copied().collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
    let refusals = done.values().map(|attempt| attempt - 1).sum::<u32>();
    assert_eq!(
        refusals as usize,
        count - 10,
        "each refusal is one more attempt"
    );
    expect_quiet(&*consumer).await;
}

pub(super) async fn attempts(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish(&*driver, "topic", message("stubborn")).await;
    for attempt in 1..=5 {
        let received = pull_one(&*consumer).await;
        assert_eq!(received.attempt, attempt);
        nack(&*consumer, &received, Duration::from_millis(1)).await;
    }
}

pub(super) async fn acknowledged(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 20).await;
    take(&*consumer, 20).await;
    expect_quiet(&*consumer).await;
    drop(consumer);
    let consumer = subscribe(&*driver, "topic", "group").await;
    expect_quiet(&*consumer).await;
}

pub(super) async fn settled_once(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish(&*driver, "topic", message("once")).await;
    let first = pull_one(&*consumer).await;
    nack(&*consumer, &first, Duration::ZERO).await;
    let second = pull_one(&*consumer).await;
    assert!(
        consumer.ack(vec![first.receipt]).await[0].is_err(),
        "the delivery before"
    );
    ack(&*consumer, &second).await;
    assert!(
        consumer.nack(second.receipt, Duration::ZERO).await.is_err(),
        "after the ack"
    );
    expect_quiet(&*consumer).await;
}

pub(super) async fn positional(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 3).await;
    let mut receipts = Vec::new();
    while receipts.len() < 3 {
        receipts.extend(
            pull(&*consumer, 3)
                .await
                .into_iter()
                .map(|received| received.receipt),
        );
    }
    receipts.insert(1, b"no receipt".to_vec());
    receipts.push(receipts[0].clone());
    let answers = consumer.ack(receipts).await;
    assert_eq!(
        answers.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true, true, false]
    );
    expect_quiet(&*consumer).await;
}

pub(super) async fn publish_many(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let limit = driver.features().max_message_bytes;
    let mut messages = vec![message(0), message(1)];
    // More than this is not worth the memory of a test.
    let too_big = usize::try_from(limit)
        .ok()
        .filter(|limit| *limit <= 128 << 20);
    if let Some(limit) = too_big {
        messages.insert(
            1,
            Message {
                data: vec![0; limit + 1].into(),
                ..Message::default()
            },
        );
    }
    let kinds: Vec<_> = driver
        .publish_many("topic", messages)
        .await
        .into_iter()
        .map(|answer| answer.err().map(|e| e.kind()))
        .collect();
    let expected = if too_big.is_some() {
        vec![None, Some(Kind::Invalid), None]
    } else {
        vec![None, None]
    };
    assert_eq!(kinds, expected);
    assert_eq!(sorted(texts(&take(&*consumer, 2).await)), numbers(0, 2));
    assert!(driver.publish_many("topic", Vec::new()).await.is_empty());
    expect_quiet(&*consumer).await;
}

pub(super) async fn bulk(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 20).await;
    let mut pulls = 0;
    let mut all = Vec::new();
    while all.len() < 20 {
        all.extend(pull(&*consumer, 5).await);
        pulls += 1;
    }
    assert!(pulls < 20, "messages that wait come several at a time");
    assert_eq!(sorted(texts(&all)), numbers(0, 20));
}

pub(super) async fn nobody(subject: Subject) {
    let driver = subject.driver();
    publish(&*driver, "topic", message("unheard")).await;
    let consumer = subscribe(&*driver, "topic", "group").await;
    expect_quiet(&*consumer).await;
}

pub(super) async fn many(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let publishers = (0..8).map(|publisher| {
        let driver = driver.clone();
        tokio::spawn(async move {
            for number in 0..20 {
                publish(&*driver, "topic", message(publisher * 20 + number)).await;
            }
        })
    });
    let publishers: Vec<_> = publishers.collect();
    let received = take(&*consumer, 160).await;
    futures::future::join_all(publishers)
        .await
        .into_iter()
        .for_each(|task| task.expect("a publisher"));
    let mut counts: HashMap<String, usize> = HashMap::new();
    texts(&received)
        .into_iter()
        .for_each(|text| *counts.entry(text).or_default() += 1);
    assert_eq!((counts.len(), counts.values().max()), (160, Some(&1)));
}
