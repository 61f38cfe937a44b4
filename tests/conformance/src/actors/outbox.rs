//! Events of turns: sent once the turn is kept, and as the same event however often.

use super::{
    Subject,
    puppet::{Step, Step::*, ms},
    rig::{Rig, message},
};
use std::{
    collections::BTreeSet,
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

fn publish(data: &str) -> Step {
    Publish("news".into(), data.into())
}

async fn events(rig: &Rig, count: usize) -> Vec<(String, String, String)> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let events = rig.broker.events();
        if events.len() >= count {
            return events;
        }
        assert!(Instant::now() < end, "{events:?}");
        tokio::time::sleep(ms(5)).await;
    }
}

pub(super) async fn sent(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let steps = [publish("one"), Sleep(100), publish("two")];
    let turn = async {
        tokio::time::sleep(ms(50)).await;
        assert!(rig.broker.events().is_empty(), "the turn is not over");
    };
    let (answers, ()) = futures::join!(rig.run("plain", "a", &steps), turn);
    answers.unwrap();
    rig.one("a", publish("three")).await.unwrap();
    let events = events(&rig, 3).await;
    let data: Vec<_> = events.iter().map(|(_, _, data)| data.as_str()).collect();
    assert_eq!(data, ["one", "two", "three"], "in the order of the turns");
    let ids: BTreeSet<_> = events.iter().map(|(_, id, _)| id).collect();
    assert_eq!(ids.len(), 3);
    rig.stop().await;
}

pub(super) async fn failed(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let steps = [publish("never"), Fail("no".into())];
    assert_eq!(message(rig.run("plain", "a", &steps).await), "no");
    rig.one("a", publish("one")).await.unwrap();
    events(&rig, 1).await;
    tokio::time::sleep(ms(100)).await;
    assert_eq!(rig.broker.events()[0].2, "one");
    assert_eq!(rig.broker.events().len(), 1);
}

/// The host whose turn it was ends before the broker is there again; another one sends it, as the same event.
pub(super) async fn waits(subject: Subject) {
    let rig = Rig::sleeping(subject.driver()).await;
    rig.broker.is_down.store(true, SeqCst);
    rig.host.actors.start(&super::rig::tenant());
    rig.one("a", publish("one")).await.unwrap();
    tokio::time::sleep(ms(100)).await;
    assert!(rig.broker.events().is_empty());
    rig.kill();
    let other = Rig::new(subject.driver()).await;
    let first = events(&other, 1).await;
    assert_eq!(first[0].2, "one");
    other.stop().await;
    // What is sent is not sent again.
    let third = Rig::new(subject.driver()).await;
    third.one("b", publish("two")).await.unwrap();
    let later = events(&third, 1).await;
    assert_eq!((later.len(), later[0].2.as_str()), (1, "two"));
    assert_ne!(later[0].1, first[0].1);
}
