//! Stores of earlier builds: what they have of reminders and events is there still, and comes once.

use super::{
    Subject,
    puppet::Step::*,
    rig::{Rig, refusal},
};
use crate::old::{self, count};
use serde_json::json;
use std::collections::BTreeMap;
use wythe_blocks::state::Driver;

/// Reminders and events of a build without shards, in its own rows.
const FORMAT_1: &str = include_str!("../../vectors/format-1/actors.rows");
const OLD: [&str; 2] = ["||actors||due||", "||actors||outbox||"];
/// More such reminders than are moved at once.
const MANY: usize = 700;

async fn write_many(driver: &dyn Driver) {
    let mut rows = Vec::new();
    for id in 0..MANY {
        let due = 1_600_000_000_000 + id;
        rows.push((
            format!("||actors||due||{due:020}||plain||b{id}||many"),
            "\"\"".to_owned(),
        ));
        // The data is `[{"Add":1}]`.
        let row = json!({"due": due, "period": null, "data": "W3siQWRkIjoxfV0="});
        rows.push((
            format!("||actors||reminder||plain||b{id}||many"),
            row.to_string(),
        ));
    }
    old::write(driver, rows).await;
}

pub(super) async fn first(subject: Subject) {
    let driver = subject.driver();
    old::load(&*driver, FORMAT_1).await;
    let rig = Rig::new(driver.clone()).await;
    for id in 0..12 {
        rig.woken(&format!("old{id}"), 1).await;
        let actor = format!("a{id}");
        assert_eq!(rig.one_soon(&actor, Sum).await, json!(1));
        let from = rig.one_soon(&actor, Get("from".into())).await;
        assert_eq!(from, json!(format!("before {id}")));
    }
    rig.published(36).await;
    let mut of_actor = BTreeMap::<String, Vec<String>>::new();
    for (_, _, data) in rig.broker.events() {
        let (id, number) = data.split_once('-').expect("an id and a number");
        of_actor
            .entry(id.to_owned())
            .or_default()
            .push(number.to_owned());
    }
    assert_eq!(of_actor.len(), 12);
    for (id, numbers) in of_actor {
        assert_eq!(
            numbers,
            ["1", "2", "3"],
            "the events of actor a{id} in order"
        );
    }
    for prefix in OLD {
        assert_eq!(count(&*driver, prefix).await, 0, "{prefix}");
    }
    let format = driver
        .get(&"||actors||format".into())
        .await
        .expect("a read");
    assert_eq!(format.expect("a number").value, "2");
    // Those with a period go on.
    assert_eq!(count(&*driver, "||actors||due/").await, 4);
    rig.stop().await;
}

/// Hosts that are killed while they move rows, and the one that comes after them.
pub(super) async fn killed(subject: Subject) {
    let driver = subject.driver();
    write_many(&*driver).await;
    for commits in 1..4 {
        let rig = Rig::new(driver.clone()).await;
        rig.committed(commits).await;
        rig.kill();
    }
    let rig = Rig::new(driver.clone()).await;
    rig.woken_or_done(&*driver).await;
    for prefix in OLD {
        assert_eq!(count(&*driver, prefix).await, 0, "{prefix}");
    }
    for id in 0..MANY {
        assert_eq!(
            rig.one_soon(&format!("b{id}"), Sum).await,
            json!(1),
            "b{id}"
        );
    }
    rig.stop().await;
}

/// A reminder that is changed before its row has moved comes as it was changed.
pub(super) async fn changed(subject: Subject) {
    let driver = subject.driver();
    write_many(&*driver).await;
    let rig = Rig::sleeping(driver.clone()).await;
    let forget = || ForgetReminder("many".into());
    for id in 0..20 {
        rig.one(&format!("b{id}"), forget()).await.expect("a turn");
    }
    rig.start();
    rig.woken_or_done(&*driver).await;
    assert_eq!(rig.woken("many", MANY - 20).await.len(), MANY - 20);
    for id in 0..20 {
        assert_eq!(
            rig.one_soon(&format!("b{id}"), Sum).await,
            json!(0),
            "b{id}"
        );
    }
    rig.stop().await;
}

pub(super) async fn newer(subject: Subject) {
    let driver = subject.driver();
    for block in ["actors", "workflow"] {
        let key = format!("||{block}||format");
        old::write(&*driver, [(key.clone(), "3")]).await;
        let reported = refusal(driver.clone()).await;
        let expected = format!(
            "state component `statestore` has rows of {block} in format 3; this build reads up to 2; use the newer \
             build that wrote them, or restore the store from a copy of before that"
        );
        assert!(reported.contains(&expected), "{reported}");
        old::write(&*driver, [(key, "2")]).await;
    }
    let rig = Rig::new(driver).await;
    assert_eq!(rig.one("a", Add(1)).await.expect("a turn"), json!(1));
    rig.stop().await;
}
