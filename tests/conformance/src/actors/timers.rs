//! Timers: turns for as long as the activation lasts.

use super::{
    Subject,
    puppet::{Step, Step::*, ms},
    rig::{Rig, message},
};
use serde_json::json;

fn timer(name: &str, due: u64, period: Option<u64>, steps: Vec<Step>) -> Step {
    Timer(name.into(), due, period, steps)
}

pub(super) async fn repeats(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let steps = [
        timer("once", 10, None, vec![Add(100)]),
        timer("tick", 20, Some(30), vec![Add(1)]),
    ];
    rig.run("plain", "a", &steps).await.unwrap();
    rig.woken("tick", 5).await;
    rig.one("a", ForgetTimer("tick".into())).await.unwrap();
    let times = rig.woken("tick", 5).await.len();
    assert_eq!(rig.one("a", Sum).await.unwrap(), json!(100 + times));
    tokio::time::sleep(ms(150)).await;
    assert_eq!(rig.woken("tick", 5).await.len(), times);
    assert_eq!(rig.woken("once", 1).await.len(), 1);
    let reported = rig.host.actors.show(&rig.caller(), "plain", "a").await;
    assert_eq!(
        reported.unwrap().unwrap().reminders,
        [],
        "nothing is kept of it"
    );
    rig.stop().await;
}

pub(super) async fn cleared(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let steps = [
        timer("a", 10, None, vec![]),
        timer("b", 60, None, vec![]),
        ForgetTimer("a".into()),
    ];
    rig.run("plain", "a", &steps).await.unwrap();
    // One of a turn that fails was never set.
    let failing = [timer("c", 10, None, vec![]), Fail("no".into())];
    assert_eq!(message(rig.run("plain", "a", &failing).await), "no");
    rig.one("a", timer("b", 120, None, vec![])).await.unwrap();
    rig.woken("b", 1).await;
    tokio::time::sleep(ms(100)).await;
    let names: Vec<_> = rig.puppet.woken().into_iter().map(|w| w.by).collect();
    assert_eq!(names, ["b"]);
}

pub(super) async fn volatile(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    // A timer's turn is a turn: it keeps the actor here. This one comes after the actor is idle.
    let steps = [timer("late", 2_000, None, vec![Add(1)])];
    rig.run("short", "a", &steps).await.unwrap();
    rig.woken("deactivate", 1).await;
    tokio::time::sleep(ms(2_000)).await;
    let names: Vec<_> = rig.puppet.woken().into_iter().map(|w| w.by).collect();
    assert_eq!(names, ["activate", "deactivate"]);
}

/// A period of 1 ms is one of 10 ms, and turns of timers of one actor have rests as long as they are.
pub(super) async fn rests(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let steps = [timer("tick", 0, Some(1), vec![])];
    rig.run("plain", "a", &steps).await.unwrap();
    for pair in rig.woken("tick", 20).await.windows(2) {
        assert!(pair[1] - pair[0] >= ms(10), "{:?}", pair[1] - pair[0]);
    }
    let steps = ["one", "two", "three"].map(|name| timer(name, 0, Some(1), vec![Sleep(30)]));
    rig.run("plain", "b", &steps).await.unwrap();
    rig.woken("three", 3).await;
    let woken = rig.puppet.woken().into_iter();
    let slow: Vec<_> = woken.filter(|w| w.by != "tick").map(|w| w.at).collect();
    for pair in slow.windows(2) {
        assert!(pair[1] - pair[0] >= ms(60), "{:?}", pair[1] - pair[0]);
    }
    rig.stop().await;
}
