//! The duties of an input that delivers what its output was given.

use super::{
    Subject,
    ear::{Ear, Reading},
    steps::{ask, create, key, put, remove},
};
use std::{collections::BTreeSet, time::Duration};
use wythe_blocks::bindings::Delivery;

fn text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.data).expect("the cases deliver text")
}

/// The attempts of those with this text, in order.
fn attempts(heard: &[Delivery], of: &str) -> Vec<u32> {
    let own = heard.iter().filter(|delivery| text(delivery) == of);
    own.map(|delivery| delivery.attempt).collect()
}

pub(super) async fn delivered(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    let metadata = [(key.as_str(), "mine"), ("colour", "blue")];
    let created = ask(&*driver, "create", b"before", &metadata).await;
    created.expect("it is created");
    let ear = Ear::new(|_| true);
    let reading = Reading::start(driver.clone(), &ear);
    ear.until(1).await;
    let (key, name) = create(&*driver, b"while it reads").await;
    let heard = ear.until(2).await;
    assert_eq!(attempts(&heard, "before"), [1]);
    assert_eq!(attempts(&heard, "while it reads"), [1]);
    let has = |delivery: &Delivery, name: &str, value: &str| {
        let pair = (name.to_owned(), value.to_owned());
        assert!(delivery.metadata.contains(&pair), "{delivery:?}");
    };
    has(&heard[0], "colour", "blue");
    has(&heard[0], &key, "mine");
    has(&heard[1], &key, &name);
    reading.end().await;
}

pub(super) async fn once(subject: Subject) {
    let driver = subject.driver();
    let ear = Ear::new(|_| true);
    let reading = Reading::start(driver.clone(), &ear);
    create(&*driver, b"one").await;
    ear.until(1).await;
    assert_eq!(ear.silence().await.len(), 1);
    reading.end().await;
    let reading = Reading::start(driver, &ear);
    assert_eq!(ear.silence().await.len(), 1, "nor to another reader");
    reading.end().await;
}

pub(super) async fn refused(subject: Subject) {
    let driver = subject.driver();
    let ear = Ear::new(|delivery| delivery.attempt == 3);
    let reading = Reading::start(driver.clone(), &ear);
    create(&*driver, b"one").await;
    assert_eq!(attempts(&ear.until(3).await, "one"), [1, 2, 3]);
    assert_eq!(ear.silence().await.len(), 3);
    reading.end().await;
}

pub(super) async fn others(subject: Subject) {
    let driver = subject.driver();
    create(&*driver, b"bad").await;
    let ear = Ear::new(|delivery| text(delivery) != "bad");
    let reading = Reading::start(driver.clone(), &ear);
    ear.until(1).await;
    for name in ["a", "b", "c"] {
        create(&*driver, name.as_bytes()).await;
    }
    let good = |heard: &[Delivery]| heard.iter().filter(|d| text(d) != "bad").count();
    let mut count = 1;
    while good(&ear.until(count).await) < 3 {
        count += 1;
        assert!(count < 20, "the others wait: {:?}", ear.heard());
    }
    reading.end().await;
}

pub(super) async fn many(subject: Subject) {
    let driver = subject.driver();
    let ear = Ear::new(|_| true);
    let reading = Reading::start(driver.clone(), &ear);
    let texts: BTreeSet<String> = (0..200).map(|number| number.to_string()).collect();
    for text in &texts {
        create(&*driver, text.as_bytes()).await;
    }
    let heard = ear.until(200).await;
    let all: BTreeSet<String> = heard.iter().map(|d| text(d).to_owned()).collect();
    assert_eq!(all, texts);
    reading.end().await;
}

pub(super) async fn under_way(subject: Subject) {
    let driver = subject.driver();
    create(&*driver, b"one").await;
    let ear = Ear::slow(Duration::from_millis(500), |_| true);
    let reading = Reading::start(driver.clone(), &ear);
    ear.until(1).await;
    reading.end().await;
    assert_eq!(ear.finished(), 1, "the app was still at work");
    let reading = Reading::start(driver, &ear);
    assert_eq!(ear.silence().await.len(), 1, "and what it took is settled");
    reading.end().await;
}

pub(super) async fn next_reader(subject: Subject) {
    let driver = subject.driver();
    create(&*driver, b"one").await;
    let refusing = Ear::new(|_| false);
    let reading = Reading::start(driver.clone(), &refusing);
    refusing.until(2).await;
    reading.end().await;
    let before = refusing.heard().len();
    let ear = Ear::new(|_| true);
    let reading = Reading::start(driver, &ear);
    let heard = ear.until(1).await;
    assert_eq!(heard[0].attempt as usize, before + 1, "attempts go on");
    reading.end().await;
}

pub(super) async fn deleted(subject: Subject) {
    let driver = subject.driver();
    let key = key(&*driver).await;
    put(&*driver, &key, "mine", b"one").await;
    let refusing = Ear::new(|_| false);
    let reading = Reading::start(driver.clone(), &refusing);
    refusing.until(1).await;
    reading.end().await;
    remove(&*driver, &key, "mine").await;
    let ear = Ear::new(|_| true);
    let reading = Reading::start(driver, &ear);
    assert_eq!(ear.silence().await, []);
    reading.end().await;
}
