//! The exact words for what is wrong, and what an operator is shown.

use super::{
    Subject,
    puppet::{Puppet, Step, Step::*},
    rig::{Rig, error, message, tenant},
};
use wythe_blocks::{
    Call, Kind,
    actors::{MAX_ALARM, MAX_DATA, Type},
};

const ALPHABET: &str = "expected letters, digits, `-`, `_`, `.`, `:` and `@`";

pub(super) async fn wrong(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    names(&rig).await;
    within_a_turn(&rig).await;
    let caller = rig.caller();
    let long = vec![0; MAX_DATA + 1].into();
    let err = rig.host.actors.invoke(&caller, "plain", "a", "run", long);
    let err = error(err.await);
    assert_eq!(err.kind(), Kind::Invalid);
    assert_eq!(
        err.message(),
        "the data of the call has 4194305 bytes; expected at most 4194304"
    );
    let stranger = Call::app(
        tenant(),
        "stranger".parse().expect("a name"),
        Default::default(),
        caller.trace(),
        caller.deadline(),
    );
    let err = error(rig.run_as(&stranger, "plain", "a", &[Sum]).await);
    assert_eq!(err.kind(), Kind::Denied);
    let expected = "app `stranger` is not granted actor type `plain`; add it to `grants: { actors: [plain] }` at ";
    assert!(err.message().starts_with(expected), "{err}");
    let outside = wythe_blocks::actors::context(&caller)
        .err()
        .expect("an error");
    assert_eq!(
        outside.message(),
        "app `caller` is not in a turn; the state of an actor is there only inside an actor's turn"
    );
    // Nobody else was in any way held up.
    assert_eq!(rig.one("a", Add(1)).await.unwrap(), serde_json::json!(1));
}

async fn names(rig: &Rig) {
    let err = error(rig.run("nobody", "a", &[Sum]).await);
    assert_eq!(err.kind(), Kind::NotFound);
    assert_eq!(
        err.message(),
        "no app of this host has the actor type `nobody`; it has: open, plain, short"
    );
    let long = "x".repeat(257);
    for (kind, id, expected) in [
        ("a/b", "a", format!("the actor type `a/b`; {ALPHABET}")),
        ("plain", "a/b", format!("the actor id `a/b`; {ALPHABET}")),
        ("plain", "ä", format!("the actor id `ä`; {ALPHABET}")),
        ("plain", "a\0", format!("the actor id `a\\0`; {ALPHABET}")),
        (
            "plain",
            "",
            "the actor id has 0 bytes; expected 1 to 256".into(),
        ),
        (
            "plain",
            &long,
            "the actor id has 257 bytes; expected 1 to 256".into(),
        ),
    ] {
        let err = error(rig.run(kind, id, &[Sum]).await);
        assert_eq!((err.kind(), err.message()), (Kind::Invalid, &*expected));
    }
    let call = |method: String| async move {
        let caller = rig.caller();
        let answer = rig
            .host
            .actors
            .invoke(&caller, "plain", "a", &method, "[]".into());
        message(answer.await)
    };
    assert_eq!(
        call(String::new()).await,
        "the method has 0 bytes; expected 1 to 256"
    );
    assert_eq!(
        call(long).await,
        "the method has 257 bytes; expected 1 to 256"
    );
}

async fn within_a_turn(rig: &Rig) {
    let err = |step: Step| async move { message(rig.one("a", step).await) };
    let text = |length: usize| "x".repeat(length);
    let put = Put("k".into(), text((4 << 20) + 1));
    // A call has no more room than a value; the store's limit shows where it is smaller.
    assert_eq!(
        err(put).await,
        "the data of the call has 4194323 bytes; expected at most 4194304"
    );
    assert_eq!(
        err(Put(String::new(), text(1))).await,
        "the key is empty; expected 1 to 1024 bytes"
    );
    assert_eq!(
        err(PutFor("k".into(), "v".into(), 0)).await,
        "a ttl of 0; expected at least 1 ms"
    );
    assert_eq!(
        err(Remind("a/b".into(), 1, None, vec![])).await,
        format!("the reminder `a/b`; {ALPHABET}")
    );
    assert_eq!(
        err(Timer("r".into(), 1, Some(0), vec![])).await,
        "the period of `r` is 0; expected at least 1 ms"
    );
    let long = vec![Fail(text(MAX_ALARM))];
    assert_eq!(
        err(Remind("r".into(), 1, None, long)).await,
        "the data of `r` has 65549 bytes; expected at most 65536"
    );
    too_much(rig).await;
}

async fn too_much(rig: &Rig) {
    let event = Publish("t".into(), "x".repeat(2 << 20));
    let event = message(rig.one("a", event).await);
    let rest = " bytes; pubsub component `pubsub` takes at most 1048576";
    assert!(
        event.starts_with("the event has ") && event.ends_with(rest),
        "{event}"
    );
    let many: Vec<_> = (0..1_001)
        .map(|n| Put(format!("k{n}"), String::new()))
        .collect();
    let many = message(rig.run("plain", "a", &many).await);
    assert_eq!(
        many,
        "the turn changes too much at once; a transaction of its store has at most 1000 operations"
    );
    let timers: Vec<_> = (0..101)
        .map(|n| Timer(format!("t{n}"), 60_000, None, vec![]))
        .collect();
    let timers = message(rig.run("plain", "a", &timers).await);
    assert_eq!(timers, "an actor has at most 100 timers");
}

pub(super) async fn listed(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let (caller, actors) = (rig.caller(), &rig.host.actors);
    assert!(actors.show(&caller, "plain", "a").await.unwrap().is_none());
    for id in ["b", "a", "c"] {
        let steps = [
            Put("k".into(), id.into()),
            Remind("later".into(), 3_600_000, Some(5), vec![]),
        ];
        rig.run("plain", id, &steps).await.unwrap();
    }
    rig.run("open", "z", &[Add(1)]).await.unwrap();
    rig.one("d", Sum).await.unwrap();
    let names = |listed: Vec<wythe_blocks::actors::Listed>| {
        let names = listed.into_iter().map(|l| format!("{}/{}", l.kind, l.id));
        names.collect::<Vec<_>>()
    };
    let first = actors.stored(&caller, None, None, 3).await.unwrap();
    assert_eq!(first.next.as_deref(), Some("plain/b"));
    assert_eq!(names(first.actors), ["open/z", "plain/a", "plain/b"]);
    let cursor = first.next.as_deref();
    let second = actors.stored(&caller, None, cursor, 3).await.unwrap();
    assert_eq!(
        (names(second.actors), second.next),
        (vec!["plain/c".into()], None)
    );
    let plain = actors
        .stored(&caller, Some("plain"), None, 9)
        .await
        .unwrap();
    assert_eq!(names(plain.actors), ["plain/a", "plain/b", "plain/c"]);
    let active = actors.active(&caller, Some("plain"));
    assert_eq!(names(active), ["plain/a", "plain/b", "plain/c", "plain/d"]);
    let stored = actors.show(&caller, "plain", "a").await.unwrap().unwrap();
    assert_eq!((stored.turns, stored.active), (1, true));
    assert_eq!(stored.entries[0].0, "k");
    assert_eq!(
        (stored.reminders.len(), stored.reminders[0].period),
        (1, Some(5))
    );
    let err = message(actors.stored(&caller, None, Some("nonsense"), 9).await);
    assert_eq!(err, "the cursor; expected one that a page gave, TYPE/ID");
}

pub(super) async fn twice(subject: Subject) {
    let rig = Rig::new(subject.driver()).await;
    let other = Puppet::new("other", &rig.host).app(tenant());
    let hasty = Type {
        idle: Default::default(),
        ..Type::new("hasty")
    };
    let (own, again) = (Type::new("own"), Type::new("own"));
    let types = vec![own, Type::new("plain"), Type::new("a b"), again, hasty];
    let problems = rig.host.actors.attach(&other, types);
    let problems: Vec<_> = problems.expect_err("problems");
    let err: Vec<_> = problems.iter().map(|p| p.message()).collect();
    assert_eq!(
        err,
        [
            "actor type `plain` is of app `puppets` and of app `other`; expected one of them",
            &format!("app `other`: the actor type `a b`; {ALPHABET}"),
            "app `other` has the actor type `own` twice",
            "app `other`: the idle time of actor type `hasty` is 0; expected at least 1 ms",
        ]
    );
    assert_eq!(other.id().as_str(), "other");
    let err = message(rig.run("own", "a", &[Sum]).await);
    assert!(
        err.starts_with("no app of this host has the actor type `own`"),
        "{err}"
    );
    // An app that is attached again has what it says then.
    let types = vec![Type::new("plain")];
    let attached = rig.host.actors.attach(&rig.puppet.app(tenant()), types);
    attached.expect("the types are good");
    let err = message(rig.run("open", "a", &[Sum]).await);
    assert_eq!(
        err,
        "no app of this host has the actor type `open`; it has: plain"
    );
}
