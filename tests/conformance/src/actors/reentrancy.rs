//! Calls that come back: they run inside, or are refused before anybody waits for himself.

use super::{
    Subject,
    puppet::{Step, Step::*},
    rig::{Rig, error, message},
};
use serde_json::json;
use wythe_blocks::Kind;

fn call(kind: &str, id: &str, steps: Vec<Step>) -> Step {
    Call(kind.into(), id.into(), steps)
}

pub(super) async fn inside(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let back = call("open", "a", vec![Sum, Add(10)]);
    let steps = [Add(1), call("plain", "b", vec![Add(5), back]), Sum];
    let answers = rig.run("open", "a", &steps).await.unwrap();
    assert_eq!(answers[1], json!([5, [1, 11]]), "it sees what is staged");
    assert_eq!(answers[2], json!(11), "and is seen");
    assert_eq!(rig.run("open", "a", &[Sum]).await.unwrap(), [json!(11)]);
    // Inside the inside, and to itself without another in between.
    let deep = call("open", "a", vec![Add(1), call("open", "a", vec![Add(1)])]);
    let answers = rig.run("open", "a", &[deep, Sum]).await.unwrap();
    assert_eq!(answers, [json!([12, [13]]), json!(13)]);
}

pub(super) async fn undone(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let back = Try("open".into(), "a".into(), vec![Add(10), Fail("no".into())]);
    let steps = [Add(1), call("plain", "b", vec![Add(1), back]), Add(1)];
    let answers = rig.run("open", "a", &steps).await.unwrap();
    assert_eq!(answers, [json!(1), json!([1, "no"]), json!(2)]);
    assert_eq!(rig.one("b", Sum).await.unwrap(), json!(1));
    // Of two that come back at once, one has to wait outside.
    let both = Both("b".into(), "c".into(), vec![]);
    rig.run("plain", "x", &[both]).await.unwrap();
}

pub(super) async fn itself(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let reported = error(rig.one("a", call("plain", "a", vec![Add(1)])).await);
    assert_eq!(reported.kind(), Kind::Conflict);
    assert_eq!(
        reported.message(),
        "the call to actor `plain/a` would wait for itself: plain/a -> plain/a"
    );
    let back = call("plain", "a", vec![Add(1)]);
    let steps = [Add(1), call("plain", "b", vec![Add(1), back])];
    let reported = message(rig.run("plain", "a", &steps).await);
    assert_eq!(
        reported,
        "the call to actor `plain/a` would wait for itself: plain/a -> plain/b -> plain/a"
    );
    for id in ["a", "b"] {
        assert_eq!(rig.one(id, Sum).await.unwrap(), json!(0), "{id}");
    }
}

/// Two transfers, each of which needs what the other has.
pub(super) async fn circle(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let transfer = |to: &str| vec![Add(-1), Sleep(200), call("plain", to, vec![Add(1)])];
    let (to_b, to_a) = (transfer("b"), transfer("a"));
    let (one, other) = futures::join!(rig.run("plain", "a", &to_b), rig.run("plain", "b", &to_a));
    let failed = [&one, &other].map(Result::is_err);
    assert!(failed[0] != failed[1], "one of them: {one:?} {other:?}");
    // Who waited for a deadline would be told of a timeout.
    let reported = error(if one.is_err() { one } else { other });
    assert_eq!(reported.kind(), Kind::Conflict);
    let circles = [
        "the call to actor `plain/b` would wait for itself: plain/a -> plain/b -> plain/a",
        "the call to actor `plain/a` would wait for itself: plain/b -> plain/a -> plain/b",
    ];
    assert!(circles.contains(&reported.message()), "{reported}");
    let sums = [
        rig.one("a", Sum).await.unwrap(),
        rig.one("b", Sum).await.unwrap(),
    ];
    let total: i64 = sums.iter().filter_map(serde_json::Value::as_i64).sum();
    assert_eq!(total, 0, "{sums:?}");
}

/// Turns in a ring of five each hold their own actor and want the next one's.
pub(super) async fn many(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let turns = (0..5).map(|n| {
        let next = format!("r{}", (n + 1) % 5);
        let steps = vec![Add(-1), Sleep(200), call("plain", &next, vec![Add(1)])];
        let (rig, id) = (&rig, format!("r{n}"));
        async move { rig.run("plain", &id, &steps).await }
    });
    let answers = futures::future::join_all(turns).await;
    let refused: Vec<_> = answers.iter().filter_map(|a| a.as_ref().err()).collect();
    assert_eq!(refused.len(), 1, "one gives way: {refused:?}");
    assert_eq!(refused[0].kind(), Kind::Conflict);
    assert_eq!(refused[0].message().matches(" -> ").count(), 5);
}

pub(super) async fn long(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let chain = (0..20).rev().fold(vec![Add(1)], |steps, n| {
        vec![call("plain", &format!("c{n}"), steps)]
    });
    let reported = error(rig.run("plain", "start", &chain).await);
    assert_eq!(reported.kind(), Kind::Exhausted);
    assert!(
        reported
            .message()
            .starts_with("the call chain is longer than 16: "),
        "{reported}"
    );
}
