//! One turn: all of it or nothing, one at a time, and what becomes of an actor between turns.

use super::{
    Subject,
    puppet::{Step::*, ms},
    rig::{Rig, message},
};
use crate::old;
use futures::future::join_all;
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use wythe_blocks::Kind;

pub(super) async fn persisted(subject: Subject) {
    // The number that a host gives a new store is one commit more.
    old::write(&*subject.driver(), [("||actors||format".to_owned(), "2")]).await;
    let rig = Rig::new(subject.driver()).await;
    for sum in 1..=5 {
        assert_eq!(rig.one("a", Add(1)).await.unwrap(), json!(sum));
    }
    assert_eq!(rig.one("b", Add(7)).await.unwrap(), json!(7));
    // Another host knows nothing yet, and reads it all.
    let other = Rig::new(subject.driver()).await;
    assert_eq!(other.one("a", Sum).await.unwrap(), json!(5));
    assert_eq!(other.one("b", Sum).await.unwrap(), json!(7));
    assert_eq!(rig.faulty.commits.load(SeqCst), 6, "one commit a turn");
}

pub(super) async fn failed(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    rig.one("a", Add(1)).await.unwrap();
    let steps = [Add(1), Put("k".into(), "v".into()), Fail("no more".into())];
    let reported = message(rig.run("plain", "a", &steps).await);
    assert_eq!(reported, "no more");
    assert!(
        rig.puppet.forgotten() > 0,
        "an instance of it is not used again"
    );
    let answers = rig.run("plain", "a", &[Sum, Get("k".into())]).await;
    assert_eq!(answers.unwrap(), [json!(1), json!(null)]);
}

pub(super) async fn panicked(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    rig.one("a", Add(1)).await.unwrap();
    let reported = message(rig.run("plain", "a", &[Add(1), Panic]).await);
    assert_eq!(
        reported,
        "`actor-turn` of app `puppets` ended by a panic of the host"
    );
    assert_eq!(rig.one("a", Add(1)).await.unwrap(), json!(2));
}

pub(super) async fn sees(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let put = |key: &str| Put(key.into(), key.into());
    rig.run("plain", "a", &[put("k1"), put("k2"), put("other")])
        .await
        .unwrap();
    let steps = [
        put("k3"),
        Delete("k1".into()),
        Keys("k".into()),
        Get("k1".into()),
        Get("k3".into()),
        Get("nothing".into()),
    ];
    let answers = rig.run("plain", "a", &steps).await.unwrap();
    let expected = [json!(["k2", "k3"]), json!(null), json!("k3"), json!(null)];
    assert_eq!(answers[2..], expected);
    let keys = rig.one("a", Keys(String::new())).await.unwrap();
    assert_eq!(keys, json!(["k2", "k3", "other"]));
}

pub(super) async fn ttl(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let steps = [PutFor("k".into(), "v".into(), 200), Get("k".into())];
    let answers = rig.run("plain", "a", &steps).await.unwrap();
    assert_eq!(answers[1], json!("v"));
    tokio::time::sleep(ms(250)).await;
    // The activation has seen it; the store has not been asked again.
    assert_eq!(rig.one("a", Get("k".into())).await.unwrap(), json!(null));
    assert_eq!(rig.one("a", Keys(String::new())).await.unwrap(), json!([]));
}

/// [`super::Puppet`] panics where two turns overlap.
pub(super) async fn one_by_one(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let add = || async {
        rig.run("plain", "a", &[Sum, Sleep(1), Add(1)])
            .await
            .unwrap()
    };
    let mut sums: Vec<_> = join_all((0..50).map(|_| add()))
        .await
        .into_iter()
        .map(|answers| answers[2].as_i64().unwrap())
        .collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=50).collect::<Vec<_>>());
    assert_eq!(rig.puppet.peak(), 1);
}

pub(super) async fn beside(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let ids: Vec<_> = (0..20).map(|id| format!("a{id}")).collect();
    // Longer than it takes to begin all of them over a slow store.
    let slow = ids.iter().map(|id| rig.one(id, Sleep(2_000)));
    for answer in join_all(slow).await {
        answer.unwrap();
    }
    assert_eq!(rig.puppet.peak(), 20);
}

pub(super) async fn gone(subject: Subject) {
    let rig = Arc::new(Rig::new(subject.driver()).await);
    let steps = [Add(1), Sleep(100), Add(1)];
    let call = rig.run("plain", "a", &steps);
    assert!(tokio::time::timeout(ms(30), call).await.is_err());
    // The next turn waits for the one that nobody waits for.
    assert_eq!(rig.one("a", Sum).await.unwrap(), json!(2));
}

pub(super) async fn idle(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let caller = rig.caller();
    for sum in 1..=2 {
        assert_eq!(
            rig.run("short", "a", &[Add(1)]).await.unwrap(),
            [json!(sum)]
        );
        rig.woken("activate", sum).await;
        assert_eq!(rig.host.actors.active(&caller, None).len(), 1);
        rig.woken("deactivate", sum).await;
        while !rig.host.actors.active(&caller, None).is_empty() {
            tokio::time::sleep(ms(5)).await;
        }
    }
    let order: Vec<_> = rig.puppet.woken().into_iter().map(|w| w.by).collect();
    assert_eq!(order, ["activate", "deactivate", "activate", "deactivate"]);
}

pub(super) async fn restart(mut subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let later = vec![Put("woken".into(), "yes".into())];
    let steps = [Add(3), Remind("soon".into(), 500, None, later)];
    rig.run("plain", "a", &steps).await.unwrap();
    rig.stop().await;
    subject.reopen().await;
    let reported = rig.one("a", Sum).await.unwrap_err();
    assert_eq!(
        reported.kind(),
        Kind::Unavailable,
        "the old driver is closed"
    );
    let rig = Rig::new(subject.driver()).await;
    assert_eq!(rig.one("a", Sum).await.unwrap(), json!(3));
    rig.woken("soon", 1).await;
    let woken = || rig.one("a", Get("woken".into()));
    while woken().await.unwrap() != json!("yes") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
