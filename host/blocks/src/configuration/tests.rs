//! The rules, over a store and an app that do as the test says, by a clock that does not wait.

mod stage;

use super::*;
use crate::Kind;
use stage::{Stage, app, operator, stage, texts};
use std::time::Duration;

const ALL: &[&str] = &[];

async fn reported(stage: &Stage, keys: &[&str]) -> Result<Vec<String>> {
    let (app, keys) = (app("app"), texts(keys));
    let snapshot = stage.block.get(&app, "settings", &keys).await?;
    let items = snapshot.items.into_iter();
    Ok(items.map(|i| format!("{}={}", i.key, i.value)).collect())
}

async fn version(stage: &Stage, keys: &[&str]) -> String {
    let (app, keys) = (app("app"), texts(keys));
    let snapshot = stage.block.get(&app, "settings", &keys).await;
    snapshot.unwrap().version
}

#[tokio::test]
async fn keys_are_checked_and_asked_for_in_order_and_once() {
    let stage = stage("a=1 b=2 c=3");
    assert_eq!(
        reported(&stage, &["c", "a", "c", "x"]).await.unwrap(),
        ["a=1", "c=3"]
    );
    assert_eq!(reported(&stage, ALL).await.unwrap(), ["a=1", "b=2", "c=3"]);
    let long = "x".repeat(1_025);
    let many: Vec<_> = (0..1_001).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let cases: [(&[&str], &str); 4] = [
        (
            &["a", ""],
            "a configuration key of 0 bytes; expected 1 to 1024",
        ),
        (
            &[&long],
            "a configuration key of 1025 bytes; expected 1 to 1024",
        ),
        (
            &["a\0b"],
            "a configuration key with a NUL; expected a text without it",
        ),
        (
            &many,
            "1001 configuration keys in one call; expected at most 1000; ask in parts, or without keys for all items",
        ),
    ];
    for (keys, expected) in cases {
        let error = reported(&stage, keys).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Invalid, expected));
    }
    assert!(reported(&stage, &many[..1_000]).await.unwrap().is_empty());
    assert!(
        reported(&stage, &[&long[..1_024]])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_snapshots_version_is_of_what_was_asked_for() {
    let stage = stage("a=1 b=2");
    let (all, a, b) = (
        version(&stage, ALL).await,
        version(&stage, &["a"]).await,
        version(&stage, &["b"]).await,
    );
    assert_eq!(version(&stage, &["a", "a", "x"]).await, a);
    stage.store.put("b", "3");
    assert_eq!(version(&stage, &["a"]).await, a);
    assert_ne!(version(&stage, &["b"]).await, b);
    assert_ne!(version(&stage, ALL).await, all);
    let (settings, keys) = ("settings", texts(&["a"]));
    let app = app("app");
    let changed = async |version: &str| {
        let changed = stage.block.changed(&app, settings, &keys, version);
        changed.await.unwrap()
    };
    assert_eq!(changed(&a).await, None);
    assert_eq!(changed("of another time").await.unwrap().version, a);
    stage.store.remove("a");
    assert!(changed(&a).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn what_is_not_granted_or_not_there_is_refused() {
    let stage = stage("a=1");
    let stranger = app("stranger");
    let error = stage
        .block
        .get(&stranger, "settings", &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert_eq!(
        error.message(),
        "app `stranger` is not granted the configuration `settings`; add it to `grants: { configuration: [settings] }` at :0"
    );
    let error = stage
        .block
        .get(&app("app"), "other", &[])
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "no configuration component `other` for app `app`"
    );
    let app = app("app");
    let deleted = stage.block.delete(&app, "settings", texts(&["a"])).await;
    assert_eq!(deleted.unwrap_err().kind(), Kind::Denied);
}

#[tokio::test]
async fn the_operator_writes_where_the_store_can() {
    let stage = stage("a=1");
    let new = || {
        vec![NewItem {
            key: "b".into(),
            value: "2".into(),
            metadata: Vec::new(),
        }]
    };
    let block = &stage.block;
    block.set(&operator(), "settings", new()).await.unwrap();
    block
        .delete(&operator(), "settings", texts(&["a", "x"]))
        .await
        .unwrap();
    assert_eq!(reported(&stage, ALL).await.unwrap(), ["b=2"]);
    stage.store.refuse_writes();
    let expected = "configuration component `settings` is read-only; its features say so; change it where it is kept";
    let error = block.set(&operator(), "settings", new()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Unsupported, expected)
    );
    let operator = operator();
    let deleted = block.delete(&operator, "settings", texts(&["b"])).await;
    assert_eq!(deleted.unwrap_err().message(), expected);
}

#[tokio::test(start_paused = true)]
async fn changes_reach_the_app_and_nothing_else_does() {
    let stage = stage("a=1 b=2");
    stage.attach(&[&["a", "new"], ALL]).await.unwrap();
    stage.settle().await;
    assert!(stage.app.heard().is_empty(), "it knows how things are");
    stage.store.put("a", "3");
    stage.store.put("b", "4");
    stage.settle().await;
    assert_eq!(stage.app.heard(), ["a=3", "a=3 b=4"]);
    stage.store.remove("a");
    stage.store.put("new", "5");
    stage.settle().await;
    assert_eq!(stage.app.heard(), ["new=5 -a", "new=5 -a"]);
    stage.store.put("b", "4");
    stage.settle().await;
    assert!(stage.app.heard().is_empty(), "it is as it was");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_has_one_id_and_ends() {
    let stage = stage("a=1");
    let (block, caller) = (&stage.block, app("app"));
    let error = block.subscribe(&caller, "settings", &[]).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Unavailable,
            "app `app` is not started yet; subscribe again in a moment"
        )
    );
    stage.attach(&[]).await.unwrap();
    let subscribe = async |keys: &[&str]| {
        let id = block.subscribe(&caller, "settings", &texts(keys)).await;
        id.unwrap()
    };
    let id = subscribe(&["b", "a"]).await;
    assert_eq!(subscribe(&["a", "b", "a"]).await, id);
    assert_ne!(subscribe(&["a"]).await, id);
    stage.store.put("a", "2");
    stage.settle().await;
    assert_eq!(stage.app.heard().len(), 2, "one for each subscription");
    let end = async |id: &str| block.unsubscribe(&caller, "settings", id).await;
    end(&id).await.unwrap();
    let expected = "app `app` has no subscription of this id to `settings`";
    for id in [id.as_str(), "nonsense", ""] {
        let error = end(id).await.unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::NotFound, expected));
    }
    stage.store.put("a", "3");
    stage.settle().await;
    assert_eq!(stage.app.heard(), ["a=3"]);
    assert_eq!(subscribe(&["a", "b"]).await, id, "the same one begins anew");
    end(&id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_ends_the_subscription_of_another() {
    let stage = stage("a=1");
    stage.attach(&[]).await.unwrap();
    let id = stage.block.subscribe(&app("app"), "settings", &[]).await;
    let id = id.unwrap();
    let other = stage::granted("other");
    let ended = stage.block.unsubscribe(&other, "settings", &id).await;
    assert_eq!(ended.unwrap_err().kind(), Kind::NotFound);
    stage.store.put("a", "2");
    stage.settle().await;
    assert_eq!(stage.app.heard(), ["a=2"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_app_refuses_comes_again_with_what_came_since() {
    let stage = stage("a=1 b=1");
    stage.attach(&[ALL]).await.unwrap();
    stage.app.fail(2);
    stage.store.put("a", "2");
    stage.settle().await;
    assert_eq!(stage.app.heard(), ["a=2"]);
    stage.store.put("b", "2");
    // Back as it was: the app may have seen the other state, so it is told all the same.
    stage.store.put("a", "1");
    stage.pass(1).await;
    assert_eq!(stage.app.heard(), ["a=1 b=2"]);
    stage.pass(1).await;
    assert_eq!(stage.app.heard(), ["a=1 b=2"]);
    stage.pass(600).await;
    assert!(stage.app.heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_change_is_given_up_after_ten_retries() {
    let stage = stage("a=1");
    stage.attach(&[ALL]).await.unwrap();
    stage.app.fail(u32::MAX);
    stage.store.put("a", "2");
    for pause in [0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60] {
        if pause > 0 {
            stage.pass(pause - 1).await;
            assert!(stage.app.heard().is_empty(), "before {pause} seconds");
            stage.pass(1).await;
        }
        stage.settle().await;
        assert_eq!(stage.app.heard(), ["a=2"], "after {pause} seconds");
    }
    stage.pass(3_600).await;
    assert!(stage.app.heard().is_empty());
    stage.app.fail(0);
    stage.store.put("b", "1");
    stage.settle().await;
    assert_eq!(stage.app.heard(), ["b=1"], "on to the next change");
}

#[tokio::test(start_paused = true)]
async fn a_change_for_which_there_is_no_room_is_not_given_up() {
    let stage = stage("a=1");
    stage.attach(&[ALL]).await.unwrap();
    stage.app.refuse(50);
    stage.store.put("a", "2");
    stage.pass(600).await;
    assert_eq!(stage.app.heard(), ["a=2"; 51]);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_attached_again_has_only_its_new_subscriptions() {
    let stage = stage("a=1 b=1");
    stage.attach(&[&["a"]]).await.unwrap();
    let more = stage.block.subscribe(&app("app"), "settings", &[]).await;
    more.unwrap();
    stage.attach(&[&["b"]]).await.unwrap();
    stage.store.put("a", "2");
    stage.store.put("b", "2");
    stage.settle().await;
    assert_eq!(stage.app.heard(), ["b=2"]);
    stage.attach(&[]).await.unwrap();
    stage.store.put("b", "3");
    stage.settle().await;
    assert!(stage.app.heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn every_problem_of_an_app_is_told_and_nothing_is_started() {
    let stage = stage("a=1");
    let subscription = |component: &str, keys: &[&str]| Subscription {
        component: component.into(),
        keys: texts(keys),
    };
    let subscriptions = vec![
        subscription("settings", ALL),
        subscription("secret", ALL),
        subscription("other", ALL),
        subscription("settings", &[""]),
    ];
    let problems = stage.attach_to(subscriptions).await.unwrap_err();
    let texts: Vec<_> = problems.iter().map(Error::message).collect();
    assert_eq!(
        texts,
        [
            "app `app` is not granted the configuration `secret`; add it to `grants: { configuration: [secret] }` at :0",
            "no configuration component `other` for app `app`",
            "a configuration key of 0 bytes; expected 1 to 1024",
        ]
    );
    stage.store.put("a", "2");
    stage.settle().await;
    assert!(stage.app.heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_while_is_asked_again() {
    let stage = stage("a=1");
    stage.attach(&[ALL]).await.unwrap();
    stage.store.fail(true);
    stage.store.put("a", "2");
    stage.pass(30).await;
    assert!(stage.app.heard().is_empty());
    stage.store.fail(false);
    stage.pass(60).await;
    assert_eq!(stage.app.heard(), ["a=2"]);
}

#[tokio::test(start_paused = true)]
async fn an_app_that_does_not_listen_cannot_subscribe() {
    let stage = stage("a=1");
    stage.app.ignore_changes();
    stage.attach(&[]).await.unwrap();
    let error = stage.block.subscribe(&app("app"), "settings", &[]).await;
    assert_eq!(
        error.unwrap_err().message(),
        "app `app` does not export wythe:blocks/configuration-listener, which hears of changes; export it, or ask for what has changed"
    );
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_host_ends_every_task() {
    let stage = stage("a=1");
    stage.attach(&[ALL, &["a"]]).await.unwrap();
    stage.app.fail(u32::MAX);
    stage.store.put("a", "2");
    stage.settle().await;
    assert!(stage.tasks.stop(Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn an_app_has_a_bounded_number_of_subscriptions() {
    let stage = stage("a=1");
    stage.attach(&[]).await.unwrap();
    for number in 0..1_000 {
        let keys = [number.to_string()];
        let id = stage.block.subscribe(&app("app"), "settings", &keys).await;
        id.unwrap();
    }
    let error = stage.block.subscribe(&app("app"), "settings", &[]).await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Exhausted,
            "app `app` has 1000 subscriptions to `settings`, which is the most; unsubscribe some, or ask for more keys in one"
        )
    );
}
