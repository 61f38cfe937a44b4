//! Reminders: never early, until they are kept, and each occurrence kept once.

use super::{
    Subject,
    puppet::{Step, Step::*, ms},
    rig::Rig,
};
use serde_json::json;
use std::time::{Duration, Instant};

fn remind(name: &str, due: u64, period: Option<u64>, steps: Vec<Step>) -> Step {
    Remind(name.into(), due, period, steps)
}

pub(super) async fn repeats(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    rig.one("a", remind("tick", 30, Some(50), vec![Add(1)]))
        .await
        .unwrap();
    rig.woken("tick", 5).await;
    rig.one("a", ForgetReminder("tick".into())).await.unwrap();
    let sum = rig.one("a", Sum).await.unwrap();
    let times = rig.woken("tick", 5).await.len();
    assert_eq!(sum, json!(times), "each that came is kept");
    tokio::time::sleep(ms(200)).await;
    assert_eq!(rig.one("a", Sum).await.unwrap(), sum, "no more come");
    rig.stop().await;
}

pub(super) async fn early(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let start = Instant::now();
    for (number, due) in [400, 100, 250, 1].into_iter().enumerate() {
        let name = format!("r{number}");
        let id = format!("a{number}");
        rig.one(&id, remind(&name, due, None, vec![]))
            .await
            .unwrap();
    }
    for (name, due) in [("r0", 400), ("r1", 100), ("r2", 250), ("r3", 1)] {
        let at = rig.woken(name, 1).await[0];
        assert!(at - start >= ms(due), "{name} came after {:?}", at - start);
    }
}

pub(super) async fn again(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let steps = vec![Add(1), FailFirst(1)];
    rig.one("a", remind("soon", 1, None, steps)).await.unwrap();
    let woken = rig.woken("soon", 2).await;
    assert!(woken[1] - woken[0] >= Duration::from_secs(1), "not at once");
    tokio::time::sleep(ms(100)).await;
    assert_eq!(rig.one("a", Sum).await.unwrap(), json!(1));
    assert_eq!(rig.woken("soon", 2).await.len(), 2);
}

pub(super) async fn replaced(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    // Long enough that none comes before the other host has had its turn, on a busy machine too.
    let steps = [
        remind("soon", 2_000, None, vec![Add(1)]),
        remind("gone", 2_000, None, vec![Add(100)]),
        remind("never", 2_000, None, vec![Add(100)]),
        ForgetReminder("never".into()),
        ForgetReminder("absent".into()),
    ];
    rig.run("plain", "a", &steps).await.unwrap();
    let steps = [
        remind("soon", 300, None, vec![Add(7)]),
        remind("gone", 5, None, vec![]),
        ForgetReminder("gone".into()),
    ];
    // By a host that remembers nothing of it.
    let other = Rig::sleeping(subject.driver()).await;
    other.run("plain", "a", &steps).await.unwrap();
    rig.woken("soon", 1).await;
    let end = Instant::now() + Duration::from_secs(60);
    while rig.one_soon("a", Sum).await != json!(7) {
        assert!(Instant::now() < end, "the turn is kept");
        tokio::time::sleep(ms(5)).await;
    }
    let names: Vec<_> = rig.puppet.woken().into_iter().map(|w| w.by).collect();
    assert_eq!(names, ["soon"]);
    let stored = rig.host.actors.show(&rig.caller(), "plain", "a").await;
    assert_eq!(stored.unwrap().unwrap().reminders, []);
}

/// Both hosts see the same row; the actor's record tells who keeps it.
pub(super) async fn two_hosts(subject: Subject) {
    let rigs = [
        Rig::new(subject.driver()).await,
        Rig::new(subject.driver()).await,
    ];
    let ids: Vec<_> = (0..20).map(|id| format!("a{id}")).collect();
    for id in &ids {
        let steps = [
            remind("once", 200, None, vec![Add(1)]),
            remind(
                "tick",
                200,
                Some(50),
                vec![Put("tick".into(), "yes".into())],
            ),
        ];
        rigs[0].run("plain", id, &steps).await.unwrap();
    }
    tokio::time::sleep(ms(1_500)).await;
    for id in &ids {
        let start = Instant::now();
        let mut sum = rigs[1].one(id, Sum).await;
        // Where both are at it all the time, a turn may be superseded.
        while !matches!(&sum, Ok(sum) if *sum == json!(1)) && start.elapsed() < ms(60_000) {
            tokio::time::sleep(ms(20)).await;
            sum = rigs[1].one(id, Sum).await;
        }
        assert_eq!(sum.unwrap(), json!(1), "{id}");
    }
    for rig in &rigs {
        rig.stop().await;
    }
}
