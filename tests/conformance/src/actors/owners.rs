//! Two hosts that both believe to have an actor: at most one keeps a turn, and nobody is told otherwise.

use super::{
    Subject,
    puppet::Step::*,
    rig::{Rig, error, message},
};
use serde_json::json;
use std::sync::atomic::Ordering::SeqCst;
use wythe_blocks::Kind;

pub(super) async fn one_persists(subject: Subject) {
    let rigs = [
        Rig::new(subject.driver()).await,
        Rig::new(subject.driver()).await,
    ];
    // Also where there is no record yet.
    for (round, id) in ["fresh", "a", "a", "a"].into_iter().enumerate() {
        if round > 0 {
            for rig in &rigs {
                rig.one("a", Sum).await.unwrap();
            }
        }
        let steps = [Add(1), Sleep(50)];
        let (one, other) = futures::join!(
            rigs[0].run("plain", id, &steps),
            rigs[1].run("plain", id, &steps)
        );
        let failed = [&one, &other].map(Result::is_err);
        assert!(failed[0] != failed[1], "{round}: {one:?} {other:?}");
        let reported = error(if failed[0] { one } else { other });
        assert_eq!(reported.kind(), Kind::Conflict);
        let expected =
            format!("another host took over actor `plain/{id}`; nothing of this turn is kept");
        assert_eq!(reported.message(), expected);
    }
    for rig in &rigs {
        assert_eq!(rig.one("a", Sum).await.unwrap(), json!(3));
        assert_eq!(rig.one("fresh", Sum).await.unwrap(), json!(1));
    }
}

pub(super) async fn stale(subject: Subject) {
    let rigs = [
        Rig::new(subject.driver()).await,
        Rig::new(subject.driver()).await,
    ];
    for sum in 1..=5 {
        assert_eq!(rigs[0].one("a", Add(1)).await.unwrap(), json!(sum));
        // It remembers what was before, and finds that it is so no more.
        assert_eq!(rigs[1].one("a", Sum).await.unwrap(), json!(sum));
        // What a failed turn says of what it read is as true.
        let steps = [Sum, Fail("seen".into())];
        assert_eq!(message(rigs[1].run("plain", "a", &steps).await), "seen");
    }
}

pub(super) async fn unknown(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    rig.one("a", Add(1)).await.unwrap();
    rig.faulty.loses_next.store(true, SeqCst);
    let reported = error(rig.one("a", Add(1)).await);
    assert_eq!(reported.kind(), Kind::UnknownOutcome);
    assert_eq!(
        reported.message(),
        "nobody can say whether the turn of actor `plain/a` is kept; read back before trying again"
    );
    assert_eq!(rig.one("a", Sum).await.unwrap(), json!(2), "it was");
    assert_eq!(rig.one("a", Add(1)).await.unwrap(), json!(3));
    rig.faulty.is_cut.store(true, SeqCst);
    let reported = error(rig.one("a", Add(1)).await);
    assert_eq!(reported.kind(), Kind::Unavailable);
    rig.faulty.is_cut.store(false, SeqCst);
    assert_eq!(rig.one("a", Add(1)).await.unwrap(), json!(4));
}
